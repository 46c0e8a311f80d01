/**
 * The words of one message, for SEARCH: header fields and text parts, decoded.
 *
 * Promise: a header is read once and up to a bound; text parts are read and decoded in chunks, each part up to a bound, and
 * others have their turn in between. What is decoded and folded is kept while the message is looked at, so that many keys cost little more
 * than one. Whatever cannot be decoded is compared as it is.
 * Spec: RFC 3501 §6.4.4 "BODY", "HEADER", "TEXT"; RFC 2047, RFC 2045 §6
 */

import { type EnvelopeAddress, type MimePart, splitHeader, fieldValue as textOf } from '../../mail/index.ts';
import type { Store, StoredMessage } from '../../store/index.ts';
import { pace } from '../pace.ts';
import type { AddressField } from './keys.ts';
import { charsetDecoder, decodeWords, Finder, fold } from './text.ts';
import { transferDecoder } from './transfer.ts';

type HeaderFields = readonly { readonly name: string; readonly value: string }[];
export type EnvelopeTextField = 'subject' | 'messageId' | 'inReplyTo';

const longestHeader = 1024 * 1024;
const longestText = 16 * 1024 * 1024;
const mostParts = 1000;

export class MessageText {
  readonly #store: Pick<Store, 'read' | 'stream'>;
  readonly #message: StoredMessage;
  #fields: HeaderFields | undefined;
  readonly #kept = new Map<AddressField | EnvelopeTextField, string>();

  constructor(store: Pick<Store, 'read' | 'stream'>, message: StoredMessage) {
    this.#store = store;
    this.#message = message;
  }

  /** Folded; empty where there is none. */
  addresses(field: AddressField): string {
    return this.#keep(field, () => addressText(this.#message.structure.envelope[field]));
  }

  /** Folded; empty where there is none. */
  envelopeText(field: EnvelopeTextField): string {
    return this.#keep(field, () => decodeWords(this.#message.structure.envelope[field] ?? ''));
  }

  #keep(field: AddressField | EnvelopeTextField, make: () => string): string {
    let text = this.#kept.get(field);
    if (text === undefined) {
      text = fold(make());
      this.#kept.set(field, text);
    }
    return text;
  }

  /** Needles are folded; an empty one asks whether the field is there. `name` is lower-case. */
  async headerHas(name: string, needle: string): Promise<boolean> {
    const fields = await this.#header();
    return fields.some((field) => field.name === name && field.value.includes(needle));
  }

  async wholeHeaderHas(needle: string): Promise<boolean> {
    return fieldsHave(await this.#header(), needle);
  }

  async bodyHas(needle: string): Promise<boolean> {
    let left = mostParts;
    const waiting: MimePart[] = [this.#message.structure.root];
    for (let part = waiting.pop(); part && left > 0; part = waiting.pop(), left--) {
      if (part.children && part.children.length > 0) waiting.push(...part.children.toReversed());
      else if (part.message) {
        if (await this.#innerHeaderHas(part.message.root, needle)) return true;
        waiting.push(part.message.root);
      } else if ((part.type === 'text' || part.type === 'multipart') && (await this.#partHas(part, needle))) return true;
    }
    return false;
  }

  async #header(): Promise<HeaderFields> {
    if (!this.#fields) {
      const end = this.#offset(this.#message.structure.root.bodyStart);
      this.#fields = foldedFields(await this.#store.read(this.#message, 0, Math.min(end, longestHeader)));
    }
    return this.#fields;
  }

  async #innerHeaderHas(root: MimePart, needle: string): Promise<boolean> {
    const start = this.#offset(root.headerStart);
    const octets = await this.#store.read(this.#message, start, Math.min(this.#offset(root.bodyStart), start + longestHeader));
    return fieldsHave(foldedFields(octets), needle);
  }

  async #partHas(part: MimePart, needle: string): Promise<boolean> {
    const finder = new Finder(needle);
    const transfer = transferDecoder(part.encoding);
    const charset = part.parameters.find(([name]) => name.toLowerCase() === 'charset')?.[1] ?? 'utf-8';
    const decoder = charsetDecoder(charset) ?? new TextDecoder('latin1');
    const start = this.#offset(part.bodyStart);
    const step = pace(4);
    for await (const chunk of this.#store.stream(this.#message, start, Math.min(this.#offset(part.end), start + longestText))) {
      if (finder.push(decoder.decode(transfer.push(chunk), { stream: true }))) return true;
      await step();
    }
    return finder.push(decoder.decode(transfer.end()));
  }

  /** From the message's own octets to prefix + octets. */
  #offset(own: number): number {
    return Buffer.byteLength(this.#message.prefix) + own;
  }
}

/** Addresses as people write them. */
function addressText(addresses: readonly EnvelopeAddress[]): string {
  return addresses
    .map(({ name, mailbox, host }) => `${decodeWords(name ?? '')} <${mailbox ?? ''}${host === null ? '' : `@${host}`}>`)
    .join(', ');
}

/** Names and values, decoded and folded. */
function foldedFields(header: Uint8Array): HeaderFields {
  return splitHeader(header).fields.map((field) => ({ name: field.name.toLowerCase(), value: fold(decodeWords(textOf(field))) }));
}

function fieldsHave(fields: HeaderFields, needle: string): boolean {
  return fields.some(({ name, value }) => `${name}: ${value}`.includes(needle));
}
