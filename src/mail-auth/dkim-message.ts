/**
 * The signatures of a message that passes by, ARC's last one among them.
 *
 * Promise: no more signatures than the settings say are looked at, and as many keys asked for, once the header is there; a body is hashed
 * once for each canonical form and length.
 * Spec: RFC 6376 §6.1, RFC 8617 §5.2
 */

import type { HeaderField } from '../mail/index.ts';
import { type ArcVerdict, type Chain, judgeChain, readChain } from './arc.ts';
import { BodyHash } from './canonical.ts';
import type { PublicKey } from './dkim-key.ts';
import {
  byName,
  type Claims,
  type FieldsByName,
  isVerdict,
  judge,
  keyOf,
  type Rules,
  readSignature,
  type Signature,
  type Verdict,
} from './dkim-verify.ts';
import { aligned } from './dmarc.ts';
import { type Field, fieldsOf } from './header.ts';
import type { Lookup } from './resolver.ts';

export interface MessageOptions {
  readonly lookup: Lookup;
  readonly dkim: boolean;
  readonly arc: boolean;
  readonly most: number;
  /** Domains in From, whose signatures come first. */
  readonly authors: readonly string[];
}

interface Pending {
  readonly read: Signature | (Claims & Verdict);
  readonly key: Promise<PublicKey | Verdict> | undefined;
}

export class MessageSignatures {
  readonly #options: MessageOptions;
  readonly #fields: FieldsByName;
  readonly #pending: readonly Pending[];
  readonly #chain: Chain | string | undefined;
  readonly #last: Pending | undefined;
  readonly #hashes = new Map<string, BodyHash>();
  #bodies: Map<string, ReturnType<BodyHash['end']>> | undefined;

  constructor(header: readonly HeaderField[], options: MessageOptions) {
    this.#options = options;
    const fields = fieldsOf(header);
    this.#fields = byName(fields);
    const read = options.dkim ? chosen(fields, options) : [];
    this.#pending = read.map((one) => this.#begin(one));
    this.#chain = options.arc ? readChain(fields) : undefined;
    this.#last = typeof this.#chain === 'object' ? this.#begin(this.#chain.signature) : undefined;
  }

  #begin(read: Pending['read']): Pending {
    if (isVerdict(read)) return { read, key: undefined };
    const name = hashName(read);
    if (!this.#hashes.has(name)) this.#hashes.set(name, new BodyHash(read.body, read.bodyLimit));
    const key = keyOf(read, this.#options.lookup);
    // Of a message that breaks off nobody waits for it.
    key.catch(() => {});
    return { read, key };
  }

  get chain(): Chain | string | undefined {
    return this.#chain;
  }

  /** Octets of the body. */
  update(bytes: Uint8Array): void {
    for (const hash of this.#hashes.values()) hash.update(bytes);
  }

  async #verdict({ read, key }: Pending, rules: Rules): Promise<Verdict> {
    if (isVerdict(read) || !key) return read as Claims & Verdict;
    this.#bodies ??= new Map([...this.#hashes].map(([name, hash]) => [name, hash.end()]));
    const body = this.#bodies.get(hashName(read));
    if (!body) throw new Error('the body was not hashed');
    return judge(read, await key, body, this.#fields, rules);
  }

  /** After the last of the body. `give` gets each result as it comes: who waits no longer has what there is. */
  async dkim(rules: Rules, give: (n: number, verdict: Verdict) => void): Promise<void> {
    await Promise.all(this.#pending.map(async (one, n) => give(n, await this.#verdict(one, rules))));
  }

  get claims(): readonly Claims[] {
    return this.#pending.map(({ read }) => read);
  }

  async arc(rules: Rules): Promise<ArcVerdict> {
    // RFC 8617 §5.2: whether the body was added to is the business of DKIM's rules, not of the chain's.
    const last = this.#last && (await this.#verdict(this.#last, { ...rules, partial: true }));
    return judgeChain(this.#chain, last, this.#options.lookup, rules.minBits);
  }
}

const hashName = (signature: Signature): string => `${signature.body} ${signature.bodyLimit ?? ''}`;

/** Those that can decide about From first, then as they stand. Reading costs little, so it is done of many more than are verified. */
function chosen(fields: readonly Field[], { most, authors }: MessageOptions): Pending['read'][] {
  const read = fields
    .filter(({ name }) => name === 'dkim-signature')
    .slice(0, most * 10)
    .map((field) => readSignature(field, 'dkim'));
  const own = (one: Pending['read']): boolean => !isVerdict(one) && authors.some((domain) => aligned(one.domain, domain, false));
  return [...read.filter(own), ...read.filter((one) => !own(one))].slice(0, most);
}
