/** Which hosts may talk to SMTPD: connection control, reverse DNS, DNS blacklists. */

import { boolean, choice, list } from '../../settings/index.ts';
import { ipList, refusalCode } from './shapes.ts';

export const clients = {
  connectionDefault: choice({
    attribute: 'mtSmtpdConnectionDefault',
    label: 'Connections by default',
    help: 'allow: every address may connect but those in mtSmtpdConnectionDeny. deny: none may but those in mtSmtpdConnectionAllow. Holds for all ports of SMTPD.',
    spec: 'SMTPD-05',
    choices: ['allow', 'deny'],
    default: 'allow',
  }),
  connectionAllow: list({
    attribute: 'mtSmtpdConnectionAllow',
    label: 'Who may connect',
    help: 'Network addresses that may connect. Counts where connections are denied by default.',
    spec: 'SMTPD-05',
    default: [],
    ...ipList,
  }),
  connectionDeny: list({
    attribute: 'mtSmtpdConnectionDeny',
    label: 'Who may not connect',
    help: 'Network addresses that may not connect. Counts where connections are allowed by default.',
    spec: 'SMTPD-05',
    default: [],
    ...ipList,
  }),
  connectionCode: refusalCode('mtSmtpdConnectionCode', 'Refused connections', 'a connection', 'SMTPD-05'),
  reverseDns: boolean({
    attribute: 'mtSmtpdReverseDns',
    label: 'Look up the names of clients',
    help: 'The names that the DNS has for the address of a client on the smtp port (PTR) are looked up at HELO and EHLO. Without it the two rules below do nothing.',
    spec: 'SMTPD-06',
    default: false,
  }),
  rejectUnresolvable: boolean({
    attribute: 'mtSmtpdRejectUnresolvable',
    label: 'Reject addresses without a name',
    help: 'A client whose address has no name in the DNS is refused. While the DNS does not answer it is put off with 450.',
    spec: 'SMTPD-06',
    default: false,
  }),
  unresolvableCode: refusalCode('mtSmtpdUnresolvableCode', 'Refused addresses without a name', 'a client without a name', 'SMTPD-06'),
  rejectHeloMismatch: boolean({
    attribute: 'mtSmtpdRejectHeloMismatch',
    label: 'Reject a wrong name in HELO',
    help: 'A client that gives another name in HELO or EHLO than the DNS has for its address is refused. Aliases (CNAME) of the name are not followed. RFC 5321 section 4.1.4 advises against this rule.',
    spec: 'SMTPD-06',
    default: false,
  }),
  heloMismatchCode: refusalCode('mtSmtpdHeloMismatchCode', 'Refused names in HELO', 'a wrong name in HELO', 'SMTPD-06'),
  dnsBl: boolean({
    attribute: 'mtSmtpdDnsBl',
    label: 'Ask DNS blacklists',
    help: 'The blacklists below cn=dnsbl,cn=mta are asked about clients on the smtp port. Users who have logged in are not concerned.',
    spec: 'SMTPD-09',
    default: true,
  }),
  dnsBlCode: refusalCode('mtSmtpdDnsBlCode', 'Refused by a blacklist', 'mail from a client that a blacklist has', 'SMTPD-09'),
  dnsBlWhitelist: list({
    attribute: 'mtSmtpdDnsBlWhitelist',
    label: 'Blacklists do not count for',
    help: 'Network addresses about which no blacklist is asked.',
    spec: 'SMTPD-09',
    default: [],
    ...ipList,
  }),
};
