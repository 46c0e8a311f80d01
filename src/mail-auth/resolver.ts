/**
 * The DNS as mail authentication asks it, and in the form mailauth wants: the shape of `dns.promises.resolve`.
 *
 * Promise: "there is none" and "I could not find out" stay apart: ENOTFOUND and ENODATA are the one, ESERVFAIL the other, and carries what
 * makes of it a temporary error everywhere in an SPF record, behind `include` too.
 */

import { isIPv4 } from 'node:net';
import type { DnsAnswer, Resolver } from '../base/index.ts';
import { prepared } from './spf-record.ts';

/** What is asked of the DNS here. */
export type Lookup = Pick<Resolver, 'txt' | 'mx' | 'ipv4' | 'addresses' | 'ptr'>;

export type NodeResolve = (name: string, type: string) => Promise<unknown[]>;

class LookupError extends Error {
  readonly code: string;
  readonly spfResult?: { readonly error: string; readonly text: string };

  constructor(code: string, text: string) {
    super(text);
    this.name = 'LookupError';
    this.code = code;
    if (code === 'ESERVFAIL') this.spfResult = { error: 'temperror', text };
  }
}

function records<T>(answer: DnsAnswer<T>, name: string, filter: (record: T) => boolean = () => true): T[] {
  if (answer.outcome === 'temporary') throw new LookupError('ESERVFAIL', answer.reason);
  if (answer.outcome === 'no-such-domain') throw new LookupError('ENOTFOUND', `${name} does not exist`);
  const found = answer.outcome === 'found' ? answer.records.filter(filter) : [];
  if (found.length === 0) throw new LookupError('ENODATA', `${name} has no such record`);
  return found;
}

export function nodeResolve(lookup: Lookup): NodeResolve {
  return async (name, type) => {
    if (type === 'TXT') return records(await lookup.txt(name), name).map((text) => [prepared(text, name)]);
    if (type === 'MX') return records(await lookup.mx(name), name).map(({ preference, exchange }) => ({ priority: preference, exchange }));
    if (type === 'A') return records(await lookup.ipv4(name), name);
    if (type === 'AAAA') return records(await lookup.addresses(name), name, (address) => !isIPv4(address));
    if (type === 'PTR') return records(await lookup.ptr(addressOfReverse(name)), name);
    throw new LookupError('ENODATA', `records of type ${type} are not asked for`);
  };
}

/** The address behind `1.2.0.192.in-addr.arpa` and the like; the name itself where it is none. */
function addressOfReverse(name: string): string {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.');
  const parts = labels.slice(0, -2).reverse();
  if (labels.at(-2) === 'in-addr') return parts.join('.');
  return parts.length === 32 ? (parts.join('').match(/.{4}/g) ?? []).join(':') : name;
}
