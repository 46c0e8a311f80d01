/**
 * What the directory says about mail authentication: rules for single domains, and the keys that mail is signed with.
 *
 * Promise: entries that make no sense are reported and passed over. Private keys are not here: whoever signs reads them when they are needed,
 * as the change feed has no secrets.
 * Source: checklist MTA-24
 */

import type { Entry } from '../directory/index.ts';
import { type DomainRule, type KeyType, keyTypes, type Treatment, treatments } from '../mail-auth/index.ts';
import { domainKey } from './strangers.ts';

export const mailAuthBase = 'cn=mailauth,cn=mta';
export const dkimBase = 'cn=dkim,cn=mta';

export const keyStates = ['new', 'active', 'retired'] as const;
export type KeyState = (typeof keyStates)[number];

/** A signing key as everybody may see it. */
export interface DkimKey {
  readonly dn: string;
  /** A-labels, lower case. */
  readonly domain: string;
  readonly selector: string;
  readonly type: KeyType;
  readonly state: KeyState;
  /** What stands behind `p=` in the DNS. */
  readonly publicKey: string;
}

const middle = '._domainkey.';

/** `selector._domainkey.example.org`: the name in the DNS, and of the entry. Undefined where it is none. */
export function dkimName(cn: string): { readonly selector: string; readonly domain: string } | undefined {
  const name = cn.trim().toLowerCase();
  const at = name.indexOf(middle);
  const selector = at > 0 ? domainKey(name.slice(0, at)) : undefined;
  const domain = at > 0 ? domainKey(name.slice(at + middle.length)) : undefined;
  return selector !== undefined && domain !== undefined && !domain.startsWith('[') ? { selector, domain } : undefined;
}

export const dkimNameText = ({ selector, domain }: { readonly selector: string; readonly domain: string }): string =>
  `${selector}${middle}${domain}`;

/** A key's entry; undefined where it is none. */
export function dkimKeyOf(entry: Entry): DkimKey | undefined {
  const name = entry.isA('mtDkimKey')
    ? entry
        .texts('cn')
        .map(dkimName)
        .find((one) => one !== undefined)
    : undefined;
  const type = keyTypes.find((one) => one === entry.text('mtDkimKeyType')?.toLowerCase());
  if (!name || !type) return undefined;
  const state = keyStates.find((one) => one === entry.text('mtDkimState')?.toLowerCase()) ?? 'new';
  return { ...name, dn: entry.dn.toString(), type, state, publicKey: entry.text('mtDkimPublicKey') ?? '' };
}

export class MailAuthView {
  readonly #rules = new Map<string, DomainRule>();
  readonly #active = new Map<string, DkimKey[]>();

  constructor(rules: Iterable<Entry>, keys: Iterable<Entry>, report: (text: string) => void) {
    for (const entry of sorted(rules)) {
      if (!entry.isA('mtMailAuthDomain')) continue;
      const rule = ruleFrom(entry);
      for (const cn of entry.texts('cn')) {
        const domain = domainKey(cn);
        if (domain === undefined) report(`${rule.dn}: "${cn.slice(0, 100)}" is no domain`);
        else if (!this.#rules.has(domain)) this.#rules.set(domain, { ...rule, domain });
      }
    }
    for (const entry of sorted(keys)) {
      const key = dkimKeyOf(entry);
      if (!key) {
        if (entry.isA('mtDkimKey')) report(`${entry.dn.toString()}: this is no key of DKIM`);
      } else if (key.state === 'active') this.#active.set(key.domain, [...(this.#active.get(key.domain) ?? []), key]);
    }
  }

  /** The rule of a domain, or of the closest one above it. */
  rule(domain: string): DomainRule | undefined {
    if (this.#rules.size === 0) return undefined;
    for (let rest = domain; rest !== ''; rest = rest.includes('.') ? rest.slice(rest.indexOf('.') + 1) : '') {
      const found = this.#rules.get(rest);
      if (found) return found;
    }
    return undefined;
  }

  active(domain: string): readonly DkimKey[] {
    return this.#active.get(domain) ?? [];
  }

  /** Whether any domain signs. */
  get signs(): boolean {
    return this.#active.size > 0;
  }
}

const sorted = (entries: Iterable<Entry>): Entry[] => [...entries].sort((a, b) => (a.dn.key < b.dn.key ? -1 : 1));

function ruleFrom(entry: Entry): Omit<DomainRule, 'domain'> {
  const one = (attribute: string): Treatment | undefined => treatments.find((text) => text === entry.text(attribute)?.toLowerCase());
  return {
    dn: entry.dn.toString(),
    dmarcFail: entry.text('mtMailAuthDmarcFail')?.toLowerCase() === 'published' ? 'published' : one('mtMailAuthDmarcFail'),
    spfFail: one('mtMailAuthSpfFail'),
    mustPass: entry.text('mtMailAuthRequire')?.toUpperCase() === 'TRUE',
  };
}
