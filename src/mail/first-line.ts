/**
 * The first line of a message that others hand in, before which this server puts lines of its own.
 *
 * Promise: what stands there never goes on with a field of ours, and is not lost among ours. A first line that is no header field is the
 * text of a message without a header: an empty line is put in front of it. The line of a mailbox file (`From ann@… Mon Jan …`) becomes a
 * field, as Postfix does it: the header stands behind it.
 * Spec: RFC 5322 §2.2 (field names), §2.2.3 (folding), §3.5, §4.5 (blanks before the colon); RFC 4155 (mailbox files)
 */

const [tab, space, colon] = [9, 32, 58];
/** No field has a longer name: a line has 998 octets at most (RFC 5322 §2.1.1). */
const longestName = 998;
const nothing = Buffer.alloc(0);

type Kind = 'field' | 'text' | 'mailbox';

/** Undefined while it may still become a field. */
function kindOf(bytes: Uint8Array): Kind | undefined {
  let blank = false;
  for (let at = 0; at < bytes.length && at < longestName; at++) {
    const octet = bytes[at] ?? 0;
    if (octet === colon) return at > 0 ? 'field' : 'text';
    if (octet === space || octet === tab) {
      if (at === 0) return 'text';
      blank = true;
    } else if (octet < space || octet > 126 || blank) return start(bytes);
  }
  return bytes.length < longestName ? undefined : start(bytes);
}

function start(bytes: Uint8Array): Kind {
  const text = Buffer.from(bytes.subarray(0, 6)).toString('latin1');
  // An empty line is the end of a header of no fields.
  if (text.startsWith('\r')) return 'field';
  return /^>?From /.test(text) ? 'mailbox' : 'text';
}

const before: Readonly<Record<Kind, Buffer>> = { field: nothing, text: Buffer.from('\r\n'), mailbox: Buffer.from('X-Mailbox-Line: ') };

export class FirstLine {
  #held: Uint8Array | undefined = nothing;

  /** The octets with what must stand in front of them, as soon as that is known; to be given all of a message, in order, lines ending in CR LF. */
  push(bytes: Uint8Array): Uint8Array {
    if (!this.#held) return bytes;
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const kind = kindOf(all);
    if (!kind) {
      this.#held = all;
      return nothing;
    }
    this.#held = undefined;
    return kind === 'field' ? all : Buffer.concat([before[kind], all]);
  }

  /** Nothing follows: what is still held, if anything. */
  end(): Uint8Array {
    const held = this.#held ?? nothing;
    this.#held = undefined;
    return held.length === 0 ? nothing : Buffer.concat([before[start(held)], held]);
  }
}
