/**
 * What a message consists of for people: its texts, its attachments wherever they stand, and what may not be touched.
 *
 * Promise: every leaf of the MIME tree once, in the order of the message, those of messages inside of it too. Attachments are found in
 * parts of every encoding, as files of a Macintosh in all four forms, and by uuencode or BinHex in text, also where the message has no
 * MIME at all. Nothing is kept in memory but headers; a large attachment is not decoded before somebody opens it. Work has a limit.
 * Spec: RFC 2045–2047; RFC 2183; RFC 1740, 1741; RFC 1847; RFC 3462; RFC 8551 §3
 */

import { MessageIndexer, type MessageStructure, type MimePart, type Parameters } from '../mail/index.ts';
import { type Bytes, stretch } from './bytes.ts';
import type { Read } from './codecs/mac-file.ts';
import { encodingOf } from './codecs/transfer.ts';
import { type Stretch, TextScanner } from './embedded.ts';
import { fileNameOf } from './file-name.ts';
import type { MacType } from './mac-types.ts';
import { type Opened, opened, shown } from './open.ts';
import { type AppleForm, recognised } from './recognise.ts';

export interface Attachment {
  /** As given; empty where nobody gave one. */
  readonly name: string;
  /** `application/pdf`; of files in text, `application/octet-stream`. */
  readonly type: string;
  /** As mailers of Macintoshes wrote type and creator into the header. */
  readonly macType?: MacType;
  /** Where it stands in text: in the decoded one. */
  readonly inText?: Stretch;
  /** A file of a Macintosh, or why what says it is one cannot be read. */
  readonly apple?: { readonly form: AppleForm; readonly read: Read };
  /** What is sent, its transfer encoding taken off; of AppleDouble the data. */
  open(): Promise<Opened>;
}

export interface Leaf {
  /** Of AppleDouble the multipart. */
  readonly part: MimePart;
  /** Multiparts and messages around it, outermost first. */
  readonly around: readonly MimePart[];
  /** It is the whole of a message: its header is a message's. */
  readonly whole: boolean;
  /** Why not an octet of it may change. */
  readonly guarded?: string;
  /** Text to be read. `content` is decoded; `files`: what stands in it. */
  readonly text?: { readonly content: Bytes; readonly flaw?: string | undefined; readonly files: readonly Attachment[] };
  readonly attachment?: Attachment;
  /** Neither: why. */
  readonly opaque?: string;
}

export interface Walked {
  readonly structure: MessageStructure;
  readonly leaves: readonly Leaf[];
  /** There are more parts or levels than are looked at. */
  readonly beyond: boolean;
}

const deepest = 50;
const partsAtMost = 10_000;
/** How many times its own size the message may be read for files in encoded texts. */
const readings = 16;

export async function walk(source: Bytes): Promise<Walked> {
  const indexer = new MessageIndexer();
  for await (const chunk of source.stream()) indexer.push(chunk);
  const structure = indexer.end();
  const walker = new Walker(source);
  await walker.message(structure.root, [], undefined);
  return { structure, leaves: walker.leaves, beyond: walker.beyond };
}

/** Every attachment of a message, guarded ones too. */
export async function attachmentsOf(source: Bytes): Promise<Attachment[]> {
  const { leaves } = await walk(source);
  return leaves.flatMap(({ text, attachment }) => [...(attachment ? [attachment] : []), ...(text?.files ?? [])]);
}

class Walker {
  readonly leaves: Leaf[] = [];
  beyond = false;
  #parts = 0;
  #budget: number;
  readonly #source: Bytes;

  constructor(source: Bytes) {
    this.#source = source;
    this.#budget = readings * (source.size + 1_048_576);
  }

  message(root: MimePart, around: readonly MimePart[], guarded: string | undefined): Promise<void> {
    return this.#part(root, around, true, guarded);
  }

  async #part(part: MimePart, around: readonly MimePart[], whole: boolean, outer: string | undefined): Promise<void> {
    this.#parts++;
    if (this.#parts >= partsAtMost || around.length >= deepest - 2) this.beyond = true;
    const guarded = outer ?? guard(part);
    const leaf = { part, around, whole, ...(guarded === undefined ? {} : { guarded }) };
    if (isAppleDouble(part)) this.leaves.push({ ...leaf, attachment: await this.#attachment(part) });
    else if (part.children) for (const child of part.children) await this.#part(child, [...around, part], false, guarded);
    else if (part.message) await this.message(part.message.root, [...around, part], guarded);
    else this.leaves.push(await this.#leaf(leaf));
  }

  async #leaf(leaf: Leaf): Promise<Leaf> {
    const { part } = leaf;
    if (part.type === 'multipart') return { ...leaf, opaque: 'its structure is broken' };
    // A message that is encoded is a file: nobody takes it apart.
    const encoded = part.type === 'message' && encodedMessage.test(part.subtype) && encodingOf(part.encoding) !== 'plain';
    if (part.type === 'message' && !encoded) return { ...leaf, opaque: `it is of type message/${shown(part.subtype)}` };
    if (isAttachment(part)) return { ...leaf, attachment: await this.#attachment(part) };
    const scanner = new TextScanner();
    const content = await opened(this.#raw(part), part.encoding, (chunk) => scanner.push(chunk));
    scanner.end();
    if (part.subtype === 'html') return { ...leaf, text: { ...content, files: [] } };
    const files: Attachment[] = [];
    for (const found of scanner.found) files.push(await this.#file(content, found, encodingOf(part.encoding) === 'plain'));
    const guarded = leaf.guarded ?? (scanner.armored ? 'it is signed or encrypted with PGP' : undefined);
    return { ...leaf, ...(guarded === undefined ? {} : { guarded }), text: { ...content, files } };
  }

  async #attachment(part: MimePart): Promise<Attachment> {
    const name = fileNameOf(part) ?? fileNameOf(part.children?.[1] ?? part) ?? fileNameOf(part.children?.[0] ?? part) ?? '';
    // Of AppleDouble the data are what everybody opens.
    const content = part.children?.[1] ?? part;
    const open = once(() => opened(this.#raw(content), content.encoding));
    const given = { name, type: `${part.type}/${part.subtype}`, ...macTypeIn(part.parameters), open };
    const apple = await recognised(this.#source, part, name, open);
    return apple ? { ...given, apple } : given;
  }

  #raw(part: MimePart): Bytes {
    return stretch(this.#source, part.bodyStart, part.end);
  }

  /** A file in text. */
  async #file({ content }: Opened, found: Stretch, plain: boolean): Promise<Attachment> {
    this.#budget -= plain ? found.end - found.start : content.size;
    const given = { name: found.name, type: 'application/octet-stream', inText: found };
    if (this.#budget < 0) {
      const flaw = 'there are too many files in its text';
      return { ...given, open: async () => ({ content: stretch(content, found.start, found.start), flaw }) };
    }
    const raw = stretch(content, found.start, found.end);
    const open = once(() => opened(raw, found.is));
    const apple = await recognised(raw, found.is, found.name, open);
    return apple ? { ...given, open, apple } : { ...given, open };
  }
}

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let done: Promise<T> | undefined;
  return () => {
    done ??= make();
    return done;
  };
};

/** `x-mac-type=54455854; x-mac-creator=74747874`: four octets each, in hexadecimal. */
function macTypeIn(parameters: Parameters): { readonly macType?: MacType } {
  const given = new Map(parameters);
  const [type, creator] = ['x-mac-type', 'x-mac-creator'].map((name) => {
    const digits = given.get(name) ?? '';
    return /^[0-9a-f]{8}$/i.test(digits) ? Buffer.from(digits, 'hex').toString('latin1') : undefined;
  });
  return type === undefined ? {} : { macType: { type, creator: creator ?? '????' } };
}

const encodedMessage = /^(?:rfc822|global)$/;

const isAppleDouble = ({ type, subtype, children }: MimePart): boolean =>
  type === 'multipart' &&
  subtype === 'appledouble' &&
  children?.length === 2 &&
  children[0]?.subtype === 'applefile' &&
  children[1]?.children === undefined &&
  children[1]?.message === undefined;

const sealed = /^(?:x-)?(?:pkcs7-mime|pkcs7-signature|pgp|pgp-encrypted|pgp-signature)$/;

/** Why a part may not be altered. */
function guard({ type, subtype }: MimePart): string | undefined {
  if (type === 'multipart' && subtype === 'signed') return 'it is signed';
  if (type === 'multipart' && subtype === 'encrypted') return 'it is encrypted';
  if (type === 'multipart' && subtype === 'report') return 'it is a report';
  return type === 'application' && sealed.test(subtype) ? 'it is signed or encrypted' : undefined;
}

/**
 * A file that was attached: one that is called so or has a name, and what is no text. Not: text that is to be shown in the message although
 * it has a name.
 */
function isAttachment(part: MimePart): boolean {
  const disposition = part.disposition?.type;
  if (disposition === 'attachment') return true;
  if (part.type === 'text') return fileNameOf(part) !== undefined && disposition !== 'inline';
  return true;
}

/** A picture in a page, and the like: it is a part of a text. */
export function isOfPage({ part, around }: Leaf): boolean {
  const parent = around.at(-1);
  return parent?.subtype === 'related' && part.disposition?.type !== 'attachment';
}
