/** How the way to a destination is found. Source: manual chapter 6 "Mail Routing Options"; checklist SMTPC-05 */

import { boolean, choice, integer, text } from '../../settings/index.ts';

export const nameResolutions = ['DNSOnly', 'DNSThenHostTable', 'HostTableThenDNS', 'HostTableOnly', 'MailRelayHost'] as const;
export type NameResolution = (typeof nameResolutions)[number];

export const routing = {
  nameResolution: choice({
    attribute: 'mtSmtpcNameResolution',
    label: 'Name resolution',
    help: 'Where the next host of a domain is looked for: in the DNS, in the host table, in one after the other; or all mail goes to the mail relay host. With the first four the relay host, where there is one, gets the mail for names that do not exist by any of these means.',
    spec: 'SMTPC-05',
    choices: nameResolutions,
    default: 'DNSOnly',
  }),
  hostTable: text({
    attribute: 'mtSmtpcHostTable',
    label: 'Host table filename',
    help: 'File of addresses and names, as in hosts(5). A domain that stands in it is sent to the address it has there. Read again when it changes.',
    spec: 'SMTPC-05',
    default: '/etc/hosts',
    max: 1_000,
    pattern: /\/.*/,
    patternHelp: 'the full path of a file, beginning with /',
  }),
  relayWithoutDns: boolean({
    attribute: 'mtSmtpcRelayWithoutDns',
    label: 'Relay host while the DNS fails',
    help: 'Mail whose destination the DNS could not tell for now goes to the mail relay host instead of waiting.',
    spec: 'SMTPC-05, SMTPC-03',
    default: false,
  }),
  dnsRetries: integer({
    attribute: 'mtSmtpcDnsRetries',
    label: 'DNS retries',
    help: 'How often a question without an answer is asked again.',
    spec: 'SMTPC-05',
    default: 4,
    min: 0,
    max: 20,
  }),
  dnsTimeout: integer({
    attribute: 'mtSmtpcDnsTimeout',
    label: 'DNS time-out',
    help: 'How long to wait for an answer.',
    spec: 'SMTPC-05',
    default: 5,
    min: 1,
    max: 60,
    unit: 'seconds',
  }),
  dnsCacheSize: integer({
    attribute: 'mtSmtpcDnsCacheSize',
    label: 'DNS cache',
    help: 'Answers kept in memory until they expire. 0 keeps none.',
    spec: 'SMTPC-05',
    default: 50_000,
    min: 0,
    max: 1_000_000,
    unit: 'records',
  }),
};
