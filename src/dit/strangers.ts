/**
 * What the directory says about strangers: which DNS blacklists are asked, and who is a spammer.
 *
 * Promise: entries that make no sense are reported and passed over; looking somebody up costs as many steps as the domain has labels.
 * Source: manual chapter 3, "Anti-Spam", "DNS-BL Access"; checklist SMTPD-07, SMTPD-09
 */

import { parseAddressRange } from '../base/index.ts';
import type { Entry } from '../directory/index.ts';
import { addressKey, normalizeDomain } from '../mail/index.ts';
import type { Blacklist, Spammer } from './port.ts';

export const blacklistBase = 'cn=dnsbl,cn=mta';
export const spammerBase = 'cn=spammers,cn=mta';

/** RFC 5782 §2.1; the last network is how zones answer who may not ask, or asks too much. */
const usual = ['127.0.0.0-127.255.254.255'];

/** A domain as it is compared; undefined where it is none. A leading dot or `*.` says nothing more than the name. */
export function domainKey(text: string): string | undefined {
  return normalizeDomain(
    text
      .trim()
      .replace(/^(\*?\.|@)/, '')
      .replace(/\.$/, ''),
  );
}

/** What a `cn` of a spammer means: an address or a domain as it is compared. `*@domain` is everybody there, as the domain alone is. */
export function spammerKey(text: string): string | undefined {
  const bare = text.trim().replace(/^\*@/, '');
  return bare.includes('@', 1) ? addressKey(bare) : domainKey(bare);
}

export class Strangers {
  readonly blacklists: readonly Blacklist[];
  readonly #spammers = new Map<string, Spammer>();

  constructor(lists: Iterable<Entry>, spammers: Iterable<Entry>, report: (text: string) => void) {
    const sorted = (entries: Iterable<Entry>, name: string): Entry[] =>
      [...entries].filter((entry) => entry.isA(name)).sort((a, b) => (a.dn.key < b.dn.key ? -1 : 1));
    this.blacklists = sorted(lists, 'mtDnsBl').flatMap((entry) => readBlacklists(entry, report));
    for (const entry of sorted(spammers, 'mtSpammer')) {
      const dn = entry.dn.toString();
      for (const cn of entry.texts('cn')) {
        const key = spammerKey(cn);
        if (key === undefined) report(`${dn}: "${cn.slice(0, 100)}" is neither an address nor a domain`);
        else if (!this.#spammers.has(key)) this.#spammers.set(key, { dn, name: key });
      }
    }
  }

  /** The entry an address falls under: its own, or that of its domain or of one above it. */
  spammer(address: string): Spammer | undefined {
    if (this.#spammers.size === 0) return undefined;
    const own = this.#spammers.get(addressKey(address) ?? address.toLowerCase());
    if (own) return own;
    let rest = domainKey(address.slice(address.lastIndexOf('@') + 1)) ?? '';
    while (rest !== '') {
      const found = this.#spammers.get(rest);
      if (found) return found;
      rest = rest.includes('.') ? rest.slice(rest.indexOf('.') + 1) : '';
    }
    return undefined;
  }
}

function readBlacklists(entry: Entry, report: (text: string) => void): Blacklist[] {
  const dn = entry.dn.toString();
  const answers = entry.texts('mtDnsBlAnswer').filter((text) => parseAddressRange(text) !== undefined);
  const problem = blacklistProblem(entry);
  if (problem !== undefined) report(`${dn}: ${problem}`);
  return entry.texts('cn').flatMap((cn) => {
    const zone = domainKey(cn);
    if (zone === undefined) {
      report(`${dn}: "${cn.slice(0, 100)}" is no DNS zone`);
      return [];
    }
    const action = entry.text('mtDnsBlAction')?.toLowerCase() === 'pass' ? 'pass' : 'reject';
    return [{ dn, zone, action, answers: answers.length > 0 ? answers : usual }];
  });
}

/** Why the values of a blacklist's entry cannot be; undefined where they can. */
export function blacklistProblem(entry: Entry): string | undefined {
  const wrong = entry.texts('mtDnsBlAnswer').find((text) => parseAddressRange(text) === undefined);
  return wrong === undefined ? undefined : `attribute mtDnsBlAnswer: "${wrong.slice(0, 100)}" is no address, range or network`;
}
