/**
 * Peers: what holds for another host, found by its addresses and names.
 *
 * Promise: of the entries that fit, the most specific one that says something decides each setting on its own; what none says has its
 * default, so there is always an answer. A value that makes no sense is reported and passed over. An entry named by addresses comes before
 * one named by a host: a name is claimed, an address is not.
 * Source: manual chapter 3, "Peer Domain Configuration"; checklist SMTPC-14, SMTPD-10
 */

import { type AddressRange, Lru, parseAddressRange } from '../base/index.ts';
import type { Entry } from '../directory/index.ts';
import { normalizeDomain } from '../mail/index.ts';
import { defaultsOf, parseValue, type Setting } from '../settings/index.ts';
import { leastSize, peerSettings } from './peer-settings.ts';
import type { Peer, PeerPolicy } from './port.ts';

type Key = keyof PeerPolicy;
const keys = Object.keys(peerSettings.settings) as Key[];
const defaults = defaultsOf(peerSettings);

/** What an entry of `cn=peers` is called. */
export type PeerName = { readonly kind: 'default' } | { readonly kind: 'domain'; readonly text: string } | RangeName;
interface RangeName {
  readonly kind: 'range';
  readonly text: string;
  readonly range: AddressRange;
}

/** Undefined where a `cn` names no peer. */
export function peerName(cn: string): PeerName | undefined {
  const given = cn.trim();
  if (given.toLowerCase() === 'default') return { kind: 'default' };
  const range = parseAddressRange(given);
  if (range) return { kind: 'range', text: range.text, range };
  const domain = given.startsWith('[') ? undefined : normalizeDomain(given.replace(/\.$/, ''));
  // A last label of digits alone is an address that was not finished, and never a name (RFC 3696 §2); so is an address with `-` and no more.
  return domain === undefined || /(^|\.)\d+$|^\d+(\.\d+){3}-[^.]*$/.test(domain) ? undefined : { kind: 'domain', text: domain };
}

/** Why the values of an entry cannot be; undefined where they can. */
export function peerProblem(entry: Entry): string | undefined {
  for (const { attribute, wrong } of values(entry)) if (wrong !== undefined) return `attribute ${attribute}: ${wrong}`;
  return undefined;
}

interface Value {
  readonly key: Key;
  readonly attribute: string;
  readonly value: number | boolean | string | undefined;
  readonly wrong?: string;
}

function* values(entry: Entry): IterableIterator<Value> {
  for (const key of keys) {
    const setting: Setting = peerSettings.settings[key];
    const text = entry.text(setting.attribute);
    if (text === undefined) continue;
    const value = parseValue(setting, text);
    const small = (key === 'inboundSize' || key === 'outboundSize') && typeof value === 'number' && value > 0 && value < leastSize;
    const wrong = small ? `"${text}" must be 0 or at least ${leastSize}` : `"${text.slice(0, 100)}" is no value of it`;
    yield value === undefined || small
      ? { key, attribute: setting.attribute, value: undefined, wrong }
      : { key, attribute: setting.attribute, value };
  }
}

/** One entry, read. */
interface Known {
  readonly name: string;
  readonly dn: string;
  readonly said: ReadonlyMap<Key, number | boolean | string>;
}

const remembered = 1_000;

export class Peers {
  readonly #domains = new Map<string, Known>();
  /** Narrow ones first. */
  readonly #ranges: { readonly range: AddressRange; readonly known: Known }[] = [];
  #default: Known | undefined;
  /** Asked several times for each message. */
  readonly #found = new Lru<string, Peer>(remembered);

  /** `report` hears of what is passed over. */
  constructor(entries: Iterable<Entry>, report: (text: string) => void) {
    // In the order of their names, so that two entries with one name are always the same one's.
    const sorted = [...entries].filter((entry) => entry.isA('mtPeer')).sort((a, b) => (a.dn.key < b.dn.key ? -1 : 1));
    for (const entry of sorted) this.#take(entry, report);
    this.#ranges.sort((a, b) => a.range.width - b.range.width);
  }

  #take(entry: Entry, report: (text: string) => void): void {
    const dn = entry.dn.toString();
    const said = new Map<Key, number | boolean | string>();
    for (const { key, attribute, value, wrong } of values(entry)) {
      if (value !== undefined) said.set(key, value);
      if (wrong !== undefined) report(`${dn}: ${attribute}: ${wrong}; it is passed over`);
    }
    for (const cn of entry.texts('cn')) {
      const name = peerName(cn);
      if (!name) report(`${dn}: "${cn.slice(0, 100)}" is neither a host, a domain nor an address`);
      else if (name.kind === 'default') this.#default ??= { name: 'default', dn, said };
      else if (name.kind === 'range') this.#ranges.push({ range: name.range, known: { name: name.text, dn, said } });
      else if (!this.#domains.has(name.text)) this.#domains.set(name.text, { name: name.text, dn, said });
    }
  }

  /** The peer that has these names and addresses. */
  find(names: readonly string[]): Peer {
    const asked = names.join(' ');
    let peer = this.#found.get(asked);
    if (!peer) {
      peer = this.#find(names);
      this.#found.set(asked, peer);
    }
    return peer;
  }

  #find(names: readonly string[]): Peer {
    const byAddress: Known[] = [];
    const byName: Known[] = [];
    for (const given of names) {
      const name = peerName(given);
      if (name?.kind === 'range') byAddress.push(...this.#ranges.filter(({ range }) => range.includes(given)).map(({ known }) => known));
      if (name?.kind === 'domain') byName.push(...this.#above(name.text));
    }
    return resolved([...byAddress, ...byName, ...(this.#default ? [this.#default] : [])]);
  }

  /** Entries of a name and of the domains above it. */
  *#above(name: string): IterableIterator<Known> {
    for (let rest = name; rest !== ''; rest = rest.includes('.') ? rest.slice(rest.indexOf('.') + 1) : '') {
      const known = this.#domains.get(rest);
      if (known) yield known;
    }
  }

  /** The largest message that any peer may send us, in octets; 0 where some peer has no limit. */
  get largestInbound(): number {
    const general = this.find([]).inboundSize;
    const own = [...this.#domains.values(), ...this.#ranges.map(({ known }) => known)].flatMap(({ said }) => {
      const size = said.get('inboundSize');
      return typeof size === 'number' ? [size] : [];
    });
    const all = [general, ...own];
    return all.includes(0) ? 0 : Math.max(...all);
  }
}

function resolved(chain: readonly Known[]): Peer {
  const policy: Record<string, unknown> = { ...defaults };
  const saidBy: Partial<Record<Key, string>> = {};
  for (const key of keys) {
    const known = chain.find(({ said }) => said.has(key));
    if (!known) continue;
    policy[key] = known.said.get(key);
    saidBy[key] = known.dn;
  }
  const first = chain[0];
  return { ...(policy as PeerPolicy), peer: first?.name ?? 'default', dn: first?.dn, saidBy };
}
