/**
 * ARC: what hosts on the way found out about a message, sealed by each.
 *
 * Promise: the state of the chain is one of RFC 8617's, temporary trouble with the DNS apart; work is bounded by fifty sets.
 * Sealing what we send on is not done here.
 * Spec: RFC 8617 §4, §5.2
 */

import { normalizeDomain } from '../mail/index.ts';
import { canonicalField } from './canonical.ts';
import type { PublicKey } from './dkim-key.ts';
import { byName, type FieldsByName, holds, isKey, isVerdict, keyOf, readSignature, type Signature, type Verdict } from './dkim-verify.ts';
import type { Field } from './header.ts';
import type { Lookup } from './resolver.ts';
import { methodsOf } from './results.ts';
import { parseTags, unfolded, withoutSignature } from './tags.ts';

const mostSets = 50;
const names = ['arc-authentication-results', 'arc-message-signature', 'arc-seal'] as const;
type Name = (typeof names)[number];

interface ArcSet extends Record<Name, Field> {
  readonly seal: { readonly domain: string; readonly selector: string; readonly algorithm: string; readonly bytes: Buffer };
}

/** A chain that is well formed, or what is wrong with it. */
export interface Chain {
  readonly sets: readonly ArcSet[];
  /** Of the last set: made over the message as it came to us. */
  readonly signature: Signature;
}

export interface ArcVerdict {
  readonly result: 'none' | 'pass' | 'fail' | 'temperror';
  readonly reason?: string;
  /** Number of sets. */
  readonly sets: number;
  /** Who sealed, oldest first; only of a chain that holds. */
  readonly sealers: readonly string[];
}

/** Undefined: there is no chain. */
export function readChain(fields: readonly Field[]): Chain | string | undefined {
  const found = byName(fields.filter(({ name }) => (names as readonly string[]).includes(name)));
  if (found.size === 0) return undefined;
  const count = Math.max(...[...found.values()].map((these) => these.length));
  if (count > mostSets) return `more than ${mostSets} sets`;
  const sets: ArcSet[] = [];
  for (let n = 1; n <= count; n += 1) {
    const set = readSet(found, n, count);
    if (typeof set === 'string') return set;
    sets.push(set);
  }
  const signature = readSignature((sets.at(-1) as ArcSet)['arc-message-signature'], 'ams');
  if (isVerdict(signature)) return `ARC-Message-Signature: ${signature.reason}`;
  return { sets, signature };
}

function readSet(found: FieldsByName, n: number, count: number): ArcSet | string {
  const one = (name: Name): Field | undefined => {
    const these = (found.get(name) ?? []).filter((field) => instance(field) === n);
    return these.length === 1 && found.get(name)?.length === count ? these[0] : undefined;
  };
  const [results, signature, seal] = names.map(one);
  if (!results || !signature || !seal) return `set ${n} is not there once and whole`;
  const tags = parseTags(textOf(seal));
  const domain = normalizeDomain(tags?.get('d') ?? '');
  const selector = normalizeDomain(tags?.get('s') ?? '');
  const algorithm = tags?.get('a')?.toLowerCase() ?? '';
  if (!tags || !domain || !selector || !/^(rsa|ed25519)-sha256$/.test(algorithm) || !tags.get('b'))
    return `the seal of set ${n} cannot be read`;
  if (tags.has('h')) return `the seal of set ${n} has h=`;
  const state = tags.get('cv')?.toLowerCase();
  if (state !== (n === 1 ? 'none' : 'pass')) return `the seal of set ${n} says cv=${/^[a-z]{1,10}$/.exec(state ?? '')?.[0] ?? '?'}`;
  const bytes = Buffer.from(unfolded(tags.get('b') ?? ''), 'base64');
  return {
    'arc-authentication-results': results,
    'arc-message-signature': signature,
    'arc-seal': seal,
    seal: { domain, selector, algorithm, bytes },
  };
}

const textOf = (field: Field): string => field.raw.slice(field.raw.indexOf(':') + 1);

function instance(field: Field): number | undefined {
  const found = /(?:^|;)[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*(\d{1,3})[ \t\r\n]*(?:;|$)/.exec(textOf(field).slice(0, 10_000));
  return found ? Number(found[1]) : undefined;
}

/** `signature`: of the last set, judged by who has seen the body. */
export async function judgeChain(
  chain: Chain | string | undefined,
  signature: Verdict | undefined,
  lookup: Lookup,
  minBits: number,
): Promise<ArcVerdict> {
  if (chain === undefined) return { result: 'none', sets: 0, sealers: [] };
  const not = (reason: string, sets = 0): ArcVerdict => ({ result: 'fail', reason, sets, sealers: [] });
  if (typeof chain === 'string') return not(chain);
  const count = chain.sets.length;
  if (signature?.result === 'temperror') return { result: 'temperror', reason: 'a key could not be looked up', sets: count, sealers: [] };
  if (signature?.result !== 'pass') return not(`ARC-Message-Signature: ${signature?.reason ?? 'not verified'}`, count);
  const keys = await Promise.all(chain.sets.map(({ seal }) => keyOf(seal, lookup)));
  for (let n = count - 1; n >= 0; n -= 1) {
    const key = keys[n] as PublicKey | Verdict;
    if (!isKey(key))
      return key.result === 'temperror'
        ? { result: 'temperror', reason: 'a key could not be looked up', sets: count, sealers: [] }
        : not(`the seal of set ${n + 1}: ${key.reason}`, count);
    if (key.type === 'rsa' && key.bits < minBits) return not(`the key of set ${n + 1} is too short`, count);
    if (!sealHolds(chain.sets, n, key)) return not(`the seal of set ${n + 1} does not hold`, count);
  }
  return { result: 'pass', sets: count, sealers: chain.sets.map(({ seal }) => seal.domain) };
}

/** RFC 8617 §5.1.1: all sets up to this one, in order; the seal itself without its signature. */
function sealHolds(sets: readonly ArcSet[], n: number, key: PublicKey): boolean {
  const parts = sets.slice(0, n + 1).flatMap((set) => names.map((name) => set[name]));
  const last = parts.pop() as Field;
  const text = `${parts.map(({ raw }) => `${canonicalField(raw, 'relaxed')}\r\n`).join('')}${canonicalField(withoutSignature(last.raw), 'relaxed')}`;
  const { seal } = sets[n] as ArcSet;
  return seal.algorithm.startsWith(`${key.type}-`) && holds(key.type, text, key, seal.bytes);
}

/**
 * Whether hosts that are trusted vouch for the message: every sealer from the last one back is trusted, and one of them found that DMARC
 * passed. The last of them is named.
 */
export function vouchedBy(chain: Chain | string | undefined, verdict: ArcVerdict, trusted: readonly string[]): string | undefined {
  if (verdict.result !== 'pass' || typeof chain !== 'object') return undefined;
  const list = new Set(trusted.map((one) => normalizeDomain(one) ?? ''));
  for (const set of [...chain.sets].reverse()) {
    if (!list.has(set.seal.domain)) return undefined;
    const value = textOf(set['arc-authentication-results']);
    if (methodsOf(value.slice(value.indexOf(';') + 1)).some(({ method, result }) => method === 'dmarc' && result === 'pass'))
      return set.seal.domain;
  }
  return undefined;
}
