/**
 * Rules about entries of the system context that are named by hosts, domains and addresses: peers, domain forwarding,
 * DNS blacklists, spammers, mail authentication of domains, keys of DKIM; and about the ends of tunnels, wherever they are named.
 *
 * Promise: an entry whose name or values nobody could ever use is refused when it is written, with the reason; a second entry
 * of the same name is refused.
 */

import { DirectoryFault, type Entry, type WriteRule } from '../directory/index.ts';
import { type Dn, parseDn } from '../ldap-wire/index.ts';
import { addressKey, normalizeDomain } from '../mail/index.ts';
import { dkimBase, dkimName, dkimNameText, mailAuthBase } from './mail-auth.ts';
import { peerName, peerProblem } from './peers.ts';
import { blacklistBase, blacklistProblem, domainKey, spammerBase, spammerKey } from './strangers.ts';

/** What a name comes to when it is compared; undefined where it is none. */
type Meaning = (cn: string) => string | undefined;

const meaningOfPeer: Meaning = (cn) => {
  const name = peerName(cn);
  return name?.kind === 'default' ? 'default' : name?.text;
};

const meaningOfKey: Meaning = (cn) => {
  const name = dkimName(cn);
  return name && dkimNameText(name);
};

/** The domain, or `*.` and a domain, that a forwarding is for. */
export const meaningOfForwarding: Meaning = (cn) => {
  const wild = cn.startsWith('*.');
  const domain = normalizeDomain(wild ? cn.slice(2) : cn);
  return domain === undefined || domain.startsWith('[') ? undefined : `${wild ? '*.' : ''}${domain}`;
};

export function systemEntryRules(systemBase: Dn): readonly WriteRule[] {
  const peers = parseDn(`cn=peers,${systemBase.toString()}`);
  const forwarding = parseDn(`cn=forwarding,cn=mta,${systemBase.toString()}`);
  return [
    namedRule('mtPeer', peers, 'a host, a domain, an address, first-last or address/bits', meaningOfPeer),
    namedRule('mtForwarding', forwarding, 'a domain, or *. and a domain for all its sub-domains', meaningOfForwarding),
    namedRule('mtDnsBl', parseDn(`${blacklistBase},${systemBase.toString()}`), 'a DNS zone', domainKey),
    namedRule('mtSpammer', parseDn(`${spammerBase},${systemBase.toString()}`), 'an address or a domain', spammerKey),
    namedRule('mtMailAuthDomain', parseDn(`${mailAuthBase},${systemBase.toString()}`), 'a domain', domainKey),
    namedRule('mtDkimKey', parseDn(`${dkimBase},${systemBase.toString()}`), 'selector._domainkey.domain', meaningOfKey),
    async ({ after }) => {
      const problem = after?.isA('mtPeer') && after.dn.isWithin(systemBase) ? peerProblem(after) : undefined;
      if (problem !== undefined) throw new DirectoryFault('constraintViolation', problem);
    },
    async ({ after }) => {
      const problem = after?.isA('mtDnsBl') && after.dn.isWithin(systemBase) ? blacklistProblem(after) : undefined;
      if (problem !== undefined) throw new DirectoryFault('constraintViolation', problem);
    },
    async ({ after }) => {
      const problem = after?.isA('mtForwarding') || after?.isA('mtConnector') ? tunnelProblem(after) : undefined;
      if (problem !== undefined) throw new DirectoryFault('constraintViolation', problem);
    },
  ];
}

/** A tunnel without an end would lead to the recipient again, and so back into the tunnel. */
function tunnelProblem(entry: Entry): string | undefined {
  const identifier = entry.text('mtIdentifier') ?? '';
  if (entry.text('mtChannel')?.toUpperCase() !== 'BSMTPOUT' || addressKey(identifier.trim()) !== undefined) return undefined;
  return `attribute mtIdentifier: BSMTPOUT needs the address of the decoder${identifier === '' ? '' : `; "${identifier.slice(0, 300)}" is none`}`;
}

function namedRule(objectClass: string, home: Dn, what: string, meaning: Meaning): WriteRule {
  return async ({ kind, before, after }, reader) => {
    if (!after?.isA(objectClass) || !after.dn.isWithin(home)) return;
    if (after.dn.parent?.key !== home.key)
      throw new DirectoryFault('namingViolation', `an entry of class ${objectClass} stands directly below ${home.toString()}`);
    const old = kind === 'modify' ? (before?.texts('cn') ?? []) : [];
    const fresh = after.texts('cn').filter((cn) => !old.includes(cn));
    if (fresh.length === 0) return;
    for (const cn of fresh) {
      const name = meaning(cn);
      if (name === undefined) throw new DirectoryFault('constraintViolation', `attribute cn: "${cn.slice(0, 300)}" is not ${what}`);
      // By index: there may be thousands. A third spelling is not found so, and the view takes the first of two.
      const same = [...(await reader.find('cn', cn)), ...(await reader.find('cn', name))];
      const other = same.find((entry) => ![after.dn.key, before?.dn.key].includes(entry.dn.key) && entry.dn.parent?.key === home.key);
      if (other) throw new DirectoryFault('constraintViolation', `attribute cn: "${cn.slice(0, 300)}" is ${other.dn.toString()} already`);
    }
  };
}
