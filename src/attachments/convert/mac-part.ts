/**
 * A file of a Macintosh as a part of a message, in the form that is asked for; and an ordinary file made of one, or one made of it.
 *
 * Spec: RFC 1740 §4–6; RFC 1741; RFC 2045 §6.3 (x-uuencode)
 */

import { Base64Encoder } from '../../mail/index.ts';
import { type Bytes, bytesOf, coded, joined } from '../bytes.ts';
import { appleFile } from '../codecs/apple-file.ts';
import { binHex } from '../codecs/binhex.ts';
import { fourLetters, type MacFile, plainMacFile } from '../codecs/mac-file.ts';
import { macBinary } from '../codecs/macbinary.ts';
import { UuEncoder } from '../codecs/uuencode.ts';
import { asciiName, extensionOf, nameParameter, saneName, withoutMacEnding } from '../file-name.ts';
import { contentTypeOf, macTypeOf } from '../mac-types.ts';
import type { Attachment } from '../walk.ts';
import { multipart, newBoundary } from './part.ts';
import type { AppleEncoding } from './wishes.ts';

/** What a part's header says of it, lines with their ends, and its body. */
export interface Content {
  readonly fields: string;
  readonly body: Bytes;
}

export const base64 = (bytes: Bytes): Promise<Bytes> => coded(bytes, () => new Base64Encoder());
export const uuencode = (bytes: Bytes, name: string): Promise<Bytes> => coded(bytes, () => new UuEncoder(asciiName(name)));

function fields(type: string, name: string, encoding: string, disposition = 'attachment'): string {
  const encoded = encoding === '' ? '' : `Content-Transfer-Encoding: ${encoding}\r\n`;
  return `Content-Type: ${type}${nameParameter('name', name)}\r\n${encoded}Content-Disposition: ${disposition}${nameParameter('filename', name)}\r\n`;
}

/** As text, for messages without MIME. */
export async function macText(file: MacFile, encoding: AppleEncoding): Promise<Bytes> {
  if (encoding === 'uuencode-applesingle') return uuencode(appleFile('applesingle', file), file.name);
  return encoding === 'uuencode-macbinary' ? uuencode(macBinary(file), file.name) : binHex(file);
}

/** `data`: the part that the data of AppleDouble are, where there is one. */
export async function macContent(file: MacFile, encoding: AppleEncoding, data?: Bytes): Promise<Content> {
  const { name } = file;
  const as = async (type: string, bytes: Bytes, uu: boolean): Promise<Content> => ({
    fields: fields(type, name, uu ? 'x-uuencode' : 'base64'),
    body: uu ? await uuencode(bytes, name) : await base64(bytes),
  });
  switch (encoding) {
    case 'applesingle':
    case 'uuencode-applesingle':
      return as('application/applefile', appleFile('applesingle', file), encoding !== 'applesingle');
    case 'base64-macbinary':
    case 'uuencode-macbinary':
      return as('application/macbinary', macBinary(file), encoding !== 'base64-macbinary');
    case 'binhex':
      return { fields: fields('application/mac-binhex40', name, '7bit'), body: await binHex(file) };
    case 'appledouble':
      return double(file, data);
  }
}

async function double(file: MacFile, data: Bytes | undefined): Promise<Content> {
  const boundary = newBoundary();
  const header = await as7bit(fields('application/applefile', file.name, 'base64'), appleFile('appledouble', file));
  const { contentType } = ordinary(file);
  const beside = data ?? (await as7bit(fields(contentType, file.name, 'base64'), file.data));
  return {
    fields: fields(`multipart/appledouble;\r\n boundary="${boundary}"`, file.name, ''),
    body: multipart(boundary, [header, beside]),
  };
}

const as7bit = async (head: string, bytes: Bytes): Promise<Bytes> => joined([bytesOf(`${head}\r\n`), await base64(bytes)]);

/** What its data are to others than Macintoshes. */
export function ordinary(file: MacFile): { readonly contentType: string; readonly name: string } {
  const extension = extensionOf(file.name);
  const { contentType, ending } = contentTypeOf(fourLetters(file.finder, 0), extension);
  return { contentType, name: file.name + ending };
}

/** An ordinary file of these octets. `contentType` may have parameters. */
export async function plainContent(bytes: Bytes, contentType: string, name: string, uu: boolean, disposition?: string): Promise<Content> {
  return {
    fields: fields(contentType, name, uu ? 'x-uuencode' : 'base64', disposition),
    body: uu ? await uuencode(bytes, name) : await base64(bytes),
  };
}

/** The file that an attachment is, with a name that is fit to be written; undefined where it cannot be read. */
export function macFileOf({ apple, name }: Attachment): MacFile | undefined {
  const file = apple?.read.file;
  return file && { ...file, name: saneName(file.name === '' ? withoutMacEnding(name) : file.name) };
}

/** The name of an attachment that is no file of a Macintosh. */
export function plainName({ name, type }: Attachment): string {
  return saneName(name, type.startsWith('image/') ? 'picture' : type.startsWith('message/') ? 'message.eml' : 'attachment');
}

/** A file of a Macintosh made of any other. */
export function madeMac(attachment: Attachment, content: Bytes): MacFile {
  const name = plainName(attachment);
  const { type, creator } = attachment.macType ?? macTypeOf(attachment.type, extensionOf(name));
  return plainMacFile(name, content, type, creator);
}
