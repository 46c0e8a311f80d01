/** Object classes of what the doors ask about strangers: DNS blacklists and spammers. One entry each, named by `cn`. */

import { declareClass } from '../settings/index.ts';

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
