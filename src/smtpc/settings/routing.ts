/** How the way to a destination is found. Source: manual chapter 6 "Mail Routing Options"; checklist SMTPC-05, SMTPC-06 */

import { integer, text } from '../../settings/index.ts';

export const routing = {
  relayHost: text({
    attribute: 'mtSmtpcRelayHost',
    label: 'Mail relay host',
    help: 'All mail goes through this host (name, address literal, and a port after a colon if it is not the usual one). Empty: each domain by its own mail exchangers.',
    spec: 'SMTPC-05',
    default: '',
    max: 300,
    pattern: /(|[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.IPv]+\](:[0-9]{1,5})?)/,
    patternHelp: 'a host name or an address in brackets, and :port',
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
