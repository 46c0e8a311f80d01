/**
 * A message as it was written before there was MIME: a header, text, and files in the text by uuencode or BinHex.
 *
 * Promise: every attachment is in it octet for octet; text of which something would be lost (a page, characters that the other host cannot
 * take) is in it as a file, too. Of several versions of one text the plain one is taken. Where something cannot be written so, the answer
 * is why, and the message is left as it is.
 * Spec: RFC 5322; RFC 2046 §4.1.4, §5.1.4; RFC 1741; source: manual chapter 3, "Generate non-MIME mail message"
 */

import { Cannot, editedHeader, type MimePart } from '../../mail/index.ts';
import { type Bytes, bytesOf, joined, stretch } from '../bytes.ts';
import { saneName } from '../file-name.ts';
import { type Attachment, isOfPage, type Leaf, type Walked } from '../walk.ts';
import { macFileOf, macText, madeMac, plainName, uuencode } from './mac-part.ts';
import { type Field, headerOf, textOf } from './part.ts';
import { charsetsOf, type TextWishes, textBlock } from './text-block.ts';
import { versions } from './versions.ts';
import { planFor, type Wishes } from './wishes.ts';

export async function withoutMime(source: Bytes, { structure, leaves }: Walked, wishes: Wishes): Promise<Bytes> {
  for (const { guarded, opaque } of leaves) if (guarded ?? opaque) throw new Cannot(`a part is left as it is: ${guarded ?? opaque}`);
  const { left, files } = versions(leaves);
  const written = leaves.filter((leaf) => !left.has(leaf));
  const writer = new Writer(
    source,
    wishes,
    await charsetsOf(
      written.filter((leaf) => !files.has(leaf)),
      wishes,
    ),
  );
  for (const leaf of written) await writer.leaf(leaf, files.has(leaf));
  return writer.end(structure.root);
}

const line = '\r\n';

class Writer {
  readonly #source: Bytes;
  readonly #wishes: Wishes;
  readonly #texts: TextWishes;
  #blocks: Bytes[] = [];
  /** Messages inside the message that are being written. */
  #messages: readonly MimePart[] = [];

  constructor(source: Bytes, wishes: Wishes, texts: TextWishes) {
    this.#source = source;
    this.#wishes = wishes;
    this.#texts = texts;
  }

  async leaf(leaf: Leaf, asFile: boolean): Promise<void> {
    await this.#enter(leaf.around.filter(({ message }) => message !== undefined));
    if (leaf.attachment) this.#put(await this.#file(leaf, leaf.attachment));
    else if (leaf.text && asFile) this.#put(await textFile(leaf, leaf.text.content));
    else if (leaf.text) await this.#text(leaf, leaf.text);
  }

  /** The whole message; `root` has its header. */
  async end(root: MimePart): Promise<Bytes> {
    await this.#enter([]);
    const header = this.#mended(await headerOf({ source: this.#source, part: root }));
    const body = this.#blocks.flatMap((block, n) => (n === 0 ? [block] : [bytesOf(line), block]));
    return joined([bytesOf(header), ...body]);
  }

  #put(block: Bytes): void {
    if (block.size > 0) this.#blocks.push(block);
  }

  /** Begins and ends messages inside the message, so that these are open. */
  async #enter(messages: readonly MimePart[]): Promise<void> {
    const before = this.#messages;
    let same = 0;
    while (same < before.length && before[same] === messages[same]) same++;
    for (let n = before.length; n > same; n--) this.#put(bytesOf(`------- End of Forwarded Message${line}`));
    for (const { message } of messages.slice(same)) {
      this.#put(bytesOf(`------- Forwarded Message${line}`));
      if (message) this.#put(bytesOf(this.#mended(await headerOf({ source: this.#source, part: message.root })).subarray(0, -2)));
    }
    this.#messages = messages;
  }

  /** Without MIME, in lines that every host takes; with the empty line behind it. */
  #mended(fields: readonly Field[]): Buffer {
    const kept = Buffer.from(`${textOf(fields.filter(({ name }) => !isMime.test(name)))}${line}`, 'latin1');
    return editedHeader(kept, { mime: false, ascii: !this.#wishes.eightBit, charset: this.#wishes.charset });
  }

  async #text(leaf: Leaf, { content, files, flaw }: NonNullable<Leaf['text']>): Promise<void> {
    if (flaw !== undefined) throw new Cannot(`a text cannot be read: ${flaw}`);
    let at = 0;
    for (const file of files) {
      const { start = 0, end = 0 } = file.inText ?? {};
      if (planFor(file, leaf.part, false, this.#wishes).is === 'keep') continue;
      await this.#words(leaf, stretch(content, at, start));
      this.#put(await this.#file(leaf, file));
      at = end;
    }
    await this.#words(leaf, stretch(content, at, content.size));
  }

  async #words(leaf: Leaf, words: Bytes): Promise<void> {
    if (words.size === 0) return;
    const { text, lost } = await textBlock(words, leaf.part, this.#texts);
    this.#put(text);
    if (lost) this.#put(await textFile(leaf, words));
  }

  async #file(leaf: Leaf, attachment: Attachment): Promise<Bytes> {
    const { appleEncoding, fromMac, toMac } = this.#wishes;
    const encoding = appleEncoding === 'unchanged' ? 'binhex' : appleEncoding;
    const file = macFileOf(attachment);
    if (file) return ended(fromMac ? await uuencode(file.data, file.name) : await macText(file, encoding));
    // Half of it alone would be another file.
    if (leaf.part.children && attachment.apple?.read.flaw !== undefined)
      throw new Cannot(`an attachment cannot be read: ${attachment.apple.read.flaw}`);
    const { content, flaw } = await attachment.open();
    if (flaw !== undefined) throw new Cannot(`an attachment cannot be read: ${flaw}`);
    const mac = toMac && !fromMac && !isOfPage(leaf) && !attachment.apple && leaf.part.type !== 'message';
    return ended(mac ? await macText(madeMac(attachment, content), encoding) : await uuencode(content, plainName(attachment)));
  }
}

/** X.400 gateways have two fields that only look like it (RFC 2156). */
const isMime = /^(?:mime-version|content-(?!identifier$|return$).*)$/;

const ended = (bytes: Bytes): Bytes => joined([bytes, bytesOf(line)]);

/** Text as a file of its own, octet for octet. */
async function textFile({ part, attachment }: Leaf, content: Bytes): Promise<Bytes> {
  const endings: Readonly<Record<string, string>> = {
    html: 'html',
    calendar: 'ics',
    richtext: 'rtf',
    rtf: 'rtf',
    'x-vcard': 'vcf',
    vcard: 'vcf',
    csv: 'csv',
    xml: 'xml',
  };
  const name = attachment?.name ?? (Object.hasOwn(endings, part.subtype) ? `message.${endings[part.subtype]}` : 'message.txt');
  return ended(await uuencode(content, saneName(name)));
}
