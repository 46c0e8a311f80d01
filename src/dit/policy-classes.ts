/** Object classes of policy entries: DNS blacklists and spammers, mail authentication by domain, keys of DKIM. One entry each, named by `cn`. */

import { keyTypes } from '../mail-auth/index.ts';
import { declareClass } from '../settings/index.ts';
import { keyStates } from './mail-auth.ts';

export const blacklistClass = declareClass({
  name: 'mtDnsBl',
  kind: 'structural',
  must: ['cn'],
  may: ['mtDnsBlAction', 'mtDnsBlAnswer', 'description'],
  title: 'DNS blacklist',
  help: 'Below cn=dnsbl,cn=mta: a DNS zone (cn) that lists network addresses of hosts whose mail is not wanted.',
  attributes: [
    {
      attribute: 'mtDnsBlAction',
      syntax: 'text',
      single: true,
      choices: ['reject', 'pass'],
      label: 'Action',
      help: 'reject, or nothing: mail from a listed host is refused. pass: it is taken and gets the header X-Mailtree-DNSBL with the zone.',
      spec: 'manual chapter 3, "DNS-BL Access"; checklist SMTPD-09',
    },
    {
      attribute: 'mtDnsBlAnswer',
      syntax: 'ascii',
      label: 'Answers that count',
      help: 'Addresses, ranges or networks: a host is listed where an answer of the zone is in one of them. Without any: in 127.0.0.0/8 but for 127.255.255.0/24, by which zones tell of errors.',
      spec: 'RFC 5782 §2.1, §2.3; checklist SMTPD-09',
    },
  ],
});

export const spammerClass = declareClass({
  name: 'mtSpammer',
  kind: 'structural',
  must: ['cn'],
  may: ['description'],
  title: 'Spammer',
  help: 'Below cn=spammers,cn=mta: an address, or a domain with everything below it (cn), whose mail is not wanted.',
});

export const mailAuthDomainClass = declareClass({
  name: 'mtMailAuthDomain',
  kind: 'structural',
  must: ['cn'],
  may: ['mtMailAuthDmarcFail', 'mtMailAuthSpfFail', 'mtMailAuthRequire', 'description'],
  title: 'Mail authentication of a domain',
  help: 'Below cn=mailauth,cn=mta: what holds for mail from a domain (cn) and those below it, in place of the general settings.',
  attributes: [
    {
      attribute: 'mtMailAuthRequire',
      syntax: 'boolean',
      single: true,
      label: 'Must be vouched for',
      help: 'TRUE: SPF or DKIM must vouch for mail from this domain, as if it published a DMARC policy of reject, though it publishes none.',
      spec: 'checklist MTA-24',
    },
  ],
});

export const dkimKeyClass = declareClass({
  name: 'mtDkimKey',
  kind: 'structural',
  must: ['cn', 'mtDkimKeyType', 'mtDkimState', 'mtDkimPublicKey', 'mtDkimPrivateKey'],
  may: ['description'],
  title: 'DKIM key',
  help: 'Below cn=dkim,cn=mta: a key that mail of a domain is signed with; cn is the name of its record in the DNS. Made by mailtree dkim create.',
  attributes: [
    {
      attribute: 'mtDkimKeyType',
      syntax: 'ascii',
      single: true,
      choices: keyTypes,
      label: 'Kind of key',
      help: 'rsa, which everybody can verify, or ed25519, which is shorter and not known everywhere yet.',
      spec: 'RFC 8463',
    },
    {
      attribute: 'mtDkimState',
      syntax: 'ascii',
      single: true,
      choices: keyStates,
      label: 'State',
      help: 'new: its record is to be published. active: mail is signed with it. retired: no longer; its record stays in the DNS for mail on the way.',
      spec: 'checklist MTA-24',
    },
    {
      attribute: 'mtDkimPublicKey',
      syntax: 'text-exact',
      single: true,
      length: 4_096,
      label: 'Public key',
      help: 'In base64, as it stands behind p= in the DNS.',
      spec: 'RFC 6376 §3.6.1',
    },
    {
      attribute: 'mtDkimPrivateKey',
      syntax: 'text-exact',
      single: true,
      length: 8_192,
      secret: true,
      label: 'Private key',
      help: 'PKCS #8, DER in base64. It is written and never read but by the server that signs.',
      spec: 'RFC 5208',
    },
  ],
});
