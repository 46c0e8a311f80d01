/**
 * The header of a message that passes by: gathered whole, looked at, and handed on, without those of its fields that are to go.
 *
 * Promise: octets of the body are passed on as they come; the header is held back until it is complete and no longer than a megabyte
 * (`tooLong` afterwards). Nothing is copied where nothing goes.
 * Spec: RFC 5322 §2.1, §2.2
 */

import { type HeaderField, splitHeader } from '../mail/index.ts';

export const longestHeader = 1_048_576;

/** A field as signatures see it. */
export interface Field {
  /** Lower case. */
  readonly name: string;
  /** Octets as characters, without the last line end. */
  readonly raw: string;
}

const nothing = Buffer.alloc(0);
const end = Buffer.from('\r\n\r\n');

export interface HeaderGateOptions {
  /** Whether a field goes. */
  readonly drop?: (field: HeaderField) => boolean;
  /** Called once, with the fields as they came. */
  readonly header?: (fields: readonly HeaderField[]) => void;
  /** Gets the body. */
  readonly body?: (bytes: Uint8Array) => void;
}

export class HeaderGate {
  readonly #options: HeaderGateOptions;
  #pieces: Buffer[] = [];
  #gathered = 0;
  #open = false;
  tooLong = false;
  /** How many fields were taken out. */
  dropped = 0;

  constructor(options: HeaderGateOptions) {
    this.#options = options;
  }

  /** What is to be kept of these octets and of those held back before. */
  push(bytes: Uint8Array): Uint8Array {
    if (this.#open) {
      this.#options.body?.(bytes);
      return bytes;
    }
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const last = this.#pieces.at(-1);
    this.#pieces.push(piece);
    this.#gathered += piece.length;
    // The end may be cut in two; pieces are large but for the last one, so three octets of the one before are enough.
    const seam = last === undefined ? -1 : Buffer.concat([last.subarray(-3), piece.subarray(0, 3)]).indexOf(end);
    const short = last !== undefined && last.length < 3;
    const found = seam >= 0 || short || piece.includes(end) || (piece[0] === 13 && this.#pieces.length === 1);
    const kept = found ? this.#look() : undefined;
    if (kept) return kept;
    if (this.#gathered > longestHeader) return this.#pass();
    // A view into what others own does not stay.
    const newest = this.#pieces.pop();
    if (newest) this.#pieces.push(newest === piece ? Buffer.from(piece) : newest);
    return nothing;
  }

  /** A place that may be the end; undefined where it is not. */
  #look(): Uint8Array | undefined {
    const all = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces, this.#gathered);
    const at = all[0] === 13 && all[1] === 10 ? 0 : all.indexOf(end) < 0 ? -1 : all.indexOf(end) + 2;
    if (at < 0) {
      this.#pieces = [all];
      return undefined;
    }
    if (at > longestHeader) {
      this.#pieces = [all];
      return this.#pass();
    }
    return this.#split(all, at);
  }

  #split(all: Buffer, at: number): Uint8Array {
    this.#open = true;
    this.#pieces = [];
    const { fields } = splitHeader(all.subarray(0, at));
    this.#options.header?.(fields);
    const { drop } = this.#options;
    const kept = drop ? fields.filter((field) => !drop(field)) : fields;
    this.dropped = fields.length - kept.length;
    const body = all.subarray(at + 2);
    if (body.length > 0) this.#options.body?.(body);
    return this.dropped === 0 ? all : Buffer.concat([...kept.map(({ raw }) => raw), all.subarray(at)]);
  }

  #pass(): Uint8Array {
    this.#open = true;
    this.tooLong = true;
    const all = Buffer.concat(this.#pieces, this.#gathered);
    this.#pieces = [];
    this.#options.header?.([]);
    return all;
  }

  /** What is left: a message that is a header and nothing else. */
  end(): Uint8Array {
    if (this.#open) return nothing;
    const all = Buffer.concat(this.#pieces, this.#gathered);
    return this.#split(all, all.length);
  }
}

export function fieldsOf(fields: readonly HeaderField[]): Field[] {
  return fields.map(({ name, raw }) => {
    const text = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1');
    return { name: name.toLowerCase(), raw: text.endsWith('\r\n') ? text.slice(0, -2) : text };
  });
}
