/**
 * Attachments of a message replaced by the same ones in another form; the message stays MIME, or becomes it.
 *
 * Promise: what is not replaced stays byte for byte; what cannot be converted without loss stays too, and why is said.
 * Spec: RFC 2046 §5.1; RFC 1740; RFC 1741
 */

import { Cannot, type MimePart, QuotedPrintableEncoder } from '../../mail/index.ts';
import { type Bytes, bytesOf, coded, joined, noBytes, octetsOf, stretch } from '../bytes.ts';
import { encodingOf } from '../codecs/transfer.ts';
import { fileNameOf, nameParameter } from '../file-name.ts';
import { type Attachment, isOfPage, type Leaf } from '../walk.ts';
import type { Edit } from './edits.ts';
import { type Content, macContent, macFileOf, madeMac, ordinary, plainContent, plainName } from './mac-part.ts';
import { type Field, headerOf, isOfContent, multipart, newBoundary, type Place, partOf, textOf } from './part.ts';
import { type Plan, planFor, type Wishes } from './wishes.ts';

/** Hears why something is not converted. */
export type Tell = (attachment: Attachment, why: string) => void;

/** What becomes of this leaf; undefined: it stays. */
export async function leafEdit(source: Bytes, leaf: Leaf, wishes: Wishes, tell: Tell): Promise<Edit | undefined> {
  const { part, attachment, text } = leaf;
  const plan = (one: Attachment): Plan => planFor(one, part, isOfPage(leaf), wishes);
  const files = [...(attachment ? [attachment] : []), ...(text?.files ?? [])].filter((one) => wanted(one, plan(one), tell));
  if (files.length === 0) return undefined;
  const guarded = leaf.guarded ?? text?.flaw;
  if (guarded !== undefined) {
    for (const one of files) tell(one, guarded);
    return undefined;
  }
  const whole = await readable(files, tell);
  if (whole.length === 0) return undefined;
  try {
    const made = attachment
      ? await partEdit({ source, ...leaf }, attachment, plan(attachment), wishes)
      : await textEdit({ source, ...leaf }, text?.content ?? noBytes, whole, plan, wishes);
    return { start: part.headerStart, end: part.end, with: made };
  } catch (thrown) {
    if (!(thrown instanceof Cannot)) throw thrown;
    for (const one of whole) tell(one, thrown.message);
    return undefined;
  }
}

/** Those whose octets are what was meant. */
async function readable(files: readonly Attachment[], tell: Tell): Promise<readonly Attachment[]> {
  const whole: Attachment[] = [];
  for (const one of files) {
    const flaw = one.apple?.read.file ? undefined : (await one.open()).flaw;
    if (flaw === undefined) whole.push(one);
    else tell(one, flaw);
  }
  return whole;
}

function wanted(attachment: Attachment, plan: Plan, tell: Tell): boolean {
  if (plan.is === 'keep' && plan.why !== undefined) tell(attachment, plan.why);
  return plan.is !== 'keep';
}

async function partEdit(place: Place, attachment: Attachment, plan: Plan, wishes: Wishes): Promise<Bytes> {
  const { part, whole } = place;
  const header = await headerOf(place);
  if (plan.is === 'plain' && wishes.nativeEncoding === 'mime') {
    const data = part.children?.[1];
    if (data) return dataPart(place, header, data, attachment);
  }
  if (plan.is === 'plain' && !attachment.apple) {
    const { content } = await attachment.open();
    const { body } = await plainContent(content, attachment.type, plainName(attachment), true);
    const fields = textOf(header.filter(({ name }) => name === 'content-type' || name === 'content-disposition'));
    return partOf(place, header, `${fields}Content-Transfer-Encoding: x-uuencode\r\n`, body);
  }
  const beside = plan.is === 'apple' && plan.encoding === 'appledouble' && !attachment.apple;
  const { fields, body } = await contentOf(attachment, plan, wishes, beside ? innerPart(place, header) : undefined, part.children?.[1]);
  // What is said of a part is said once: by the one inside, as it always was.
  return partOf(place, beside && !whole ? [] : header, eightBitToo(fields, beside ? part : undefined), body);
}

/** The data of AppleDouble as they are, with what was said of both; with a name, where they have none of their own. */
async function dataPart(place: Place, outer: readonly Field[], data: MimePart, attachment: Attachment): Promise<Bytes> {
  const { source, whole } = place;
  const own = await headerOf({ source, part: data });
  const named = fileNameOf(data) !== undefined;
  const name = macFileOf(attachment)?.name ?? plainName(attachment);
  const disposition = named ? '' : `Content-Disposition: attachment${nameParameter('filename', name)}\r\n`;
  const content = own.filter((field) => isOfContent(field) && (named || field.name !== 'content-disposition'));
  const names = new Set(own.map((field) => field.name));
  const header = whole ? outer : [...outer.filter((field) => !names.has(field.name)), ...own];
  return partOf(place, header, textOf(content) + disposition, stretch(source, data.bodyStart, data.end));
}

/** A part as it is, as one of two; of a whole message what its header says of the content, and the body. */
function innerPart({ source, part, whole }: Place, header: readonly Field[]): Bytes {
  if (!whole) return stretch(source, part.headerStart, part.end);
  return joined([bytesOf(`${textOf(header.filter(isOfContent))}\r\n`), stretch(source, part.bodyStart, part.end)]);
}

const eightBitToo = (fields: string, inner: MimePart | undefined): string =>
  inner && /^(?:8bit|binary)$/.test(inner.encoding) ? `${fields}Content-Transfer-Encoding: ${inner.encoding}\r\n` : fields;

/** `data`: of AppleDouble to be, `beside`: of AppleDouble that was. */
async function contentOf(attachment: Attachment, plan: Plan, wishes: Wishes, data?: Bytes, beside?: MimePart): Promise<Content> {
  const file = macFileOf(attachment);
  if (plan.is === 'apple') return macContent(file ?? madeMac(attachment, (await attachment.open()).content), plan.encoding, data);
  if (!file) return plainContent((await attachment.open()).content, attachment.type, plainName(attachment), true);
  const { contentType, name } = ordinary(file);
  const type = beside ? `${beside.type}/${beside.subtype}` : contentType;
  return plainContent(file.data, type, name, wishes.nativeEncoding === 'uuencode');
}

/** A text with files in it becomes a row of texts and files. */
async function textEdit(
  place: Place,
  content: Bytes,
  files: readonly Attachment[],
  plan: (one: Attachment) => Plan,
  wishes: Wishes,
): Promise<Bytes> {
  const { part } = place;
  const header = await headerOf(place);
  const type = textOf(header.filter(({ name }) => name === 'content-type'));
  const parts: Bytes[] = [];
  let at = 0;
  const words = async (to: number): Promise<void> => {
    const piece = stretch(content, at, to);
    if (piece.size > 0 && !(await isBlank(piece))) parts.push(await textPiece(piece, type, part.encoding));
  };
  for (const file of files) {
    const { start = 0, end = 0 } = file.inText ?? {};
    await words(start);
    const { fields, body } = await contentOf(file, plan(file), wishes);
    parts.push(joined([bytesOf(`${fields}\r\n`), body]));
    at = end;
  }
  await words(content.size);
  const boundary = newBoundary();
  const fields = `Content-Type: multipart/mixed;\r\n boundary="${boundary}"\r\n`;
  return partOf(place, header, eightBitToo(fields, part), multipart(boundary, parts));
}

const blankAtMost = 1_024;
async function isBlank(piece: Bytes): Promise<boolean> {
  return piece.size <= blankAtMost && !/\S/.test((await octetsOf(piece, 0, piece.size)).toString('latin1'));
}

async function textPiece(piece: Bytes, type: string, encoding: string): Promise<Bytes> {
  const plain = encodingOf(encoding) === 'plain';
  const body = plain ? piece : await coded(piece, () => new QuotedPrintableEncoder());
  return joined([bytesOf(`${type}Content-Transfer-Encoding: ${plain ? encoding : 'quoted-printable'}\r\n\r\n`), body]);
}
