/**
 * Mutations of LDAP messages that know their structure: elements are doubled, dropped, swapped, wrapped, replaced by those of other
 * messages, lengths around them set right or left wrong; values inside octet strings (controls, extended operations) are taken apart
 * as well; and plain octets are changed on top of that.
 */

/** One BER element; what is a whole encoding in itself is taken apart, whatever its tag says. */
export interface Element {
  tag: number;
  /** Octets of a value, or what is inside. */
  content: Buffer | Element[];
}

/** The elements of these octets, or undefined where they are no whole encoding. */
function elementsOf(octets: Buffer, depth: number): Element[] | undefined {
  const found: Element[] = [];
  for (let at = 0; at < octets.length; ) {
    const tag = octets[at] as number;
    if ((tag & 0x1f) === 0x1f || at + 2 > octets.length) return undefined;
    let length = octets[at + 1] as number;
    at += 2;
    if (length >= 0x80) {
      const size = length & 0x7f;
      if (size === 0 || size > 3 || at + size > octets.length) return undefined;
      length = octets.readUIntBE(at, size);
      at += size;
    }
    if (at + length > octets.length) return undefined;
    const content = octets.subarray(at, at + length);
    at += length;
    const first = content[0] ?? 0;
    const mayContain = (tag & 0x20) !== 0 || (length > 2 && (first === 0x30 || (first >= 0xa0 && first <= 0xa9)));
    found.push({ tag, content: (mayContain && depth < 80 ? elementsOf(content, depth + 1) : undefined) ?? content });
  }
  return found;
}

export function parseElement(octets: Buffer): Element {
  const [one] = elementsOf(octets, 0) ?? [];
  if (!one) throw new Error('no BER');
  return one;
}

const sizes = new WeakMap<Element, number>();
function sizeOf(element: Element): number {
  const { content } = element;
  let length = 0;
  if (Array.isArray(content)) for (const each of content) length += sizeOf(each);
  else length = content.length;
  sizes.set(element, length);
  return length + (length < 0x80 ? 2 : length < 0x100 ? 3 : length < 0x10000 ? 4 : 5);
}

function write(element: Element, into: Buffer, from: number): number {
  const length = sizes.get(element) as number;
  let at = from;
  into[at++] = element.tag;
  if (length < 0x80) into[at++] = length;
  else {
    const size = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
    into[at++] = 0x80 | size;
    at = into.writeUIntBE(length, at, size);
  }
  const { content } = element;
  if (!Array.isArray(content)) {
    into.set(content, at);
    return at + length;
  }
  for (const each of content) at = write(each, into, at);
  return at;
}

export function encodeElement(element: Element): Buffer {
  const octets = Buffer.allocUnsafe(sizeOf(element));
  write(element, octets, 0);
  return octets;
}

const copyOf = (element: Element): Element => ({
  tag: element.tag,
  content: Array.isArray(element.content) ? element.content.map(copyOf) : element.content,
});

/** Every element with the list it stands in. */
function places(root: Element, out: [Element[], number][] = []): [Element[], number][] {
  if (!Array.isArray(root.content)) return out;
  for (let n = 0; n < root.content.length; n++) {
    out.push([root.content, n]);
    places(root.content[n] as Element, out);
  }
  return out;
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const values: readonly Buffer[] = [
  hex(''),
  hex('00'),
  hex('ff'),
  hex('7fffffff'),
  hex('80000000'),
  hex('ffffffffffffffffff'),
  hex('3080'),
  hex('308400000000'),
  hex('3003020101'),
  hex('c3'),
  hex('eda080f4908080'),
  Buffer.from('*'),
  Buffer.from('-1'),
  Buffer.from('99999999999999999999999'),
  Buffer.from('1.3.6.1.4.1.1466.20037'),
  Buffer.from('cn='),
  Buffer.from('\\'),
  Buffer.from('=,+,"'),
  Buffer.from('objectClass'),
  Buffer.from('{SSHA}AAAA'),
  Buffer.from('cn;lang-;;binary'),
  Buffer.from('ﬃ\u0130\u0345\u00ad'),
  Buffer.alloc(300, 0x61),
  Buffer.alloc(3_000, 0x20),
  Buffer.from('a=b,'.repeat(700)),
  Buffer.from('(!'.repeat(500)),
];
const tags = [0x00, 0x01, 0x02, 0x04, 0x05, 0x0a, 0x1f, 0x30, 0x31, 0x3f, 0x42, 0x60, 0x63, 0x66, 0x68, 0x80, 0x81, 0x82, 0x83, 0x87];
const more = [0x8a, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa7, 0xa9, 0xff];

export class Mutator {
  readonly #random: () => number;
  readonly #corpus: readonly Element[];
  readonly #share: Float64Array;
  readonly #total: number;

  constructor(corpus: readonly { readonly octets: Buffer; readonly weight: number }[], random: () => number) {
    this.#random = random;
    this.#corpus = corpus.map(({ octets }) => parseElement(octets));
    let total = 0;
    this.#share = Float64Array.from(corpus, ({ weight }) => {
      total += weight;
      return total;
    });
    this.#total = total;
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }

  #message(): Element {
    const at = this.#random() * this.#total;
    let n = 0;
    while ((this.#share[n] as number) < at) n++;
    return this.#corpus[n] as Element;
  }

  /** The next mutated request. Its message id is `id`, unless a mutation has got at it. */
  next(id: number): Buffer {
    const root = copyOf(this.#message());
    const number = (root.content as Element[])[0] as Element;
    number.content = Buffer.allocUnsafe(4);
    number.content.writeInt32BE(id);
    // Nearly half of them keep their structure, so that what is behind the decoder gets its share.
    if (this.#random() < 0.45) {
      for (let changes = 1 + this.#below(2); changes > 0; changes--) this.#revalue(root);
      return encodeElement(root);
    }
    for (let changes = this.#below(3) + (this.#random() < 0.1 ? 4 : 0); changes > 0; changes--) this.#change(root);
    const octets = encodeElement(root);
    return this.#random() < 0.35 ? this.#octets(octets) : octets;
  }

  /** Another value of the same sort at one place: one that is odd, one of another message, a changed octet. */
  #revalue(root: Element): void {
    const leaves = places(root).filter(([list, n]) => !Array.isArray((list[n] as Element).content) && list !== root.content);
    if (leaves.length === 0) return;
    const [list, n] = this.#pick(leaves);
    const element = list[n] as Element;
    const was = element.content as Buffer;
    if (this.#random() < 0.3) element.content = this.#pick(values);
    else if (this.#random() < 0.5 && was.length > 0) {
      const now = Buffer.from(was);
      now[this.#below(now.length)] = this.#random() < 0.7 ? 0x20 + this.#below(95) : this.#below(256);
      element.content = now;
    } else {
      const same = places(this.#message()).filter(([from, at]) => (from[at] as Element).tag === element.tag);
      if (same.length === 0) return;
      const [from, at] = this.#pick(same);
      list[n] = copyOf(from[at] as Element);
    }
  }

  #change(root: Element): void {
    const all = places(root);
    if (all.length === 0) return;
    const [list, n] = this.#pick(all);
    const element = list[n] as Element;
    switch (this.#below(9)) {
      case 0:
        list.splice(n, 0, copyOf(element));
        break;
      case 1:
        list.splice(n, 1);
        break;
      case 2: {
        const other = this.#below(list.length);
        [list[n], list[other]] = [list[other] as Element, element];
        break;
      }
      case 3:
      case 4: {
        const [from, at] = this.#pick(places(this.#message()));
        list.splice(n, this.#below(2), copyOf(from[at] as Element));
        break;
      }
      case 5:
        element.tag = this.#pick(this.#random() < 0.5 ? tags : more);
        break;
      case 6:
        for (let depth = this.#random() < 0.05 ? 300 : 1; depth > 0; depth--) list[n] = { tag: element.tag, content: [list[n] as Element] };
        break;
      case 7:
        element.content = this.#random() < 0.2 ? this.#rubbish(60) : this.#pick(values);
        break;
      default:
        list[n] = this.#random() < 0.5 ? { tag: this.#pick(tags), content: this.#pick(values) } : this.#invented(5);
    }
  }

  #rubbish(most: number): Buffer {
    const octets = Buffer.allocUnsafe(this.#below(most));
    for (let n = 0; n < octets.length; n++) octets[n] = this.#below(256);
    return octets;
  }

  /** BER that nobody has meant. */
  #invented(depth: number): Element {
    const tag = this.#pick(this.#random() < 0.5 ? tags : more);
    if (depth === 0 || this.#random() < 0.3) return { tag, content: this.#rubbish(12) };
    return { tag, content: Array.from({ length: this.#below(4) }, () => this.#invented(depth - 1)) };
  }

  #octets(given: Buffer): Buffer {
    const octets = Buffer.from(given);
    for (let changes = 1 + this.#below(3); changes > 0; changes--) {
      const at = 2 + this.#below(Math.max(1, octets.length - 2));
      if (at >= octets.length) break;
      const how = this.#below(8);
      if (how < 3) octets[at] = (octets[at] as number) ^ (1 << this.#below(8));
      else if (how < 5) octets[at] = this.#below(256);
      else if (how === 5) octets[at] = this.#pick([0x00, 0x7f, 0x80, 0x81, 0x84, 0xff]);
      else if (how === 6) octets.copyWithin(at, this.#below(octets.length));
      else if (this.#random() < 0.1) return this.#random() < 0.5 ? octets.subarray(0, at) : Buffer.concat([octets, octets.subarray(at)]);
    }
    return octets;
  }
}
