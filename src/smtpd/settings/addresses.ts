/** Which recipients and which spellings of addresses SMTPD takes, and from whom. */

import { boolean, choice, list } from '../../settings/index.ts';
import { ipList } from './shapes.ts';

export const addresses = {
  loginWithoutTls: choice({
    attribute: 'mtSmtpdLoginWithoutTls',
    label: 'Login without encryption',
    help: 'Who may log in over a connection that is not encrypted: nobody, programs on this host, or everybody. Everybody lets passwords travel in the clear.',
    spec: 'RFC 4954 §4',
    choices: ['never', 'loopback', 'always'],
    default: 'loopback',
  }),
  relayForAuthenticated: boolean({
    attribute: 'mtSmtpdRelayForAuthenticated',
    label: 'Relay for users',
    help: 'A user who has logged in may send to other hosts.',
    spec: 'SMTPD-04',
    default: true,
  }),
  rejectRemoteRecipients: boolean({
    attribute: 'mtSmtpdRejectRemoteRecipients',
    label: 'Reject remote recipients',
    help: 'Clients that have not logged in may send to local recipients only. Switching it off makes this host an open relay.',
    spec: 'SMTPD-04',
    default: true,
  }),
  refusalCode: choice({
    attribute: 'mtSmtpdRefusalCode',
    label: 'Refusals by policy',
    help: 'Whether a remote recipient is refused for good (5xx) or for now (4xx).',
    spec: 'SMTPD-04',
    choices: ['permanent', 'temporary'],
    default: 'permanent',
  }),
  rejectUnknownRecipients: boolean({
    attribute: 'mtSmtpdRejectUnknownRecipients',
    label: 'Reject unknown recipients',
    help: 'A local address that nobody has is refused at once. Off: it is accepted and bounced later, which sends bounces to forged senders.',
    spec: 'SMTPD-14',
    default: true,
  }),
  rejectUnqualified: choice({
    attribute: 'mtSmtpdRejectUnqualified',
    label: 'Reject unqualified addresses',
    help: 'From whom an address without a domain is refused: from nobody, from those who have not logged in, or from everybody. The bare name postmaster is always taken.',
    spec: 'RFC 5321 §2.3.5, §4.1.1.3; SMTPD-03',
    choices: ['never', 'strangers', 'always'],
    default: 'strangers',
  }),
  qualify: boolean({
    attribute: 'mtSmtpdQualify',
    label: 'Qualify addresses',
    help: 'An address without a domain gets the local domain, unless such addresses are rejected. Off: it is refused.',
    spec: 'RFC 6409 §8.2; SMTPD-03',
    default: true,
  }),
  senderCheck: choice({
    attribute: 'mtSmtpdSenderCheck',
    label: 'Check the sender of users',
    help: 'Whether a user who has logged in may only send as one of the addresses of the account: never, on the submission ports, or on every port. A host that logs in on port 25 to relay for others needs submission.',
    spec: 'RFC 6409 §6.1',
    choices: ['never', 'submission', 'always'],
    default: 'always',
  }),
  authorCheck: choice({
    attribute: 'mtSmtpdAuthorCheck',
    label: 'Check the author of users',
    help: 'Whether every address in the From field of a message from a user who has logged in must be one of the account: never, on the submission ports, or on every port. A host that logs in on port 25 to relay for others needs submission. Messages that are passed on with Resent- fields under their old author are refused, too.',
    spec: 'RFC 6409 §6.1',
    choices: ['never', 'submission', 'always'],
    default: 'always',
  }),
  relayDefault: choice({
    attribute: 'mtSmtpdRelayDefault',
    label: 'Relaying by default',
    help: 'deny: remote recipients are taken from the addresses in mtSmtpdRelayAllow only. allow: from all but those in mtSmtpdRelayDeny, which makes this host an open relay for the rest of the world.',
    spec: 'SMTPD-04',
    choices: ['deny', 'allow'],
    default: 'deny',
  }),
  relayAllow: list({
    attribute: 'mtSmtpdRelayAllow',
    label: 'Who may relay',
    help: 'Network addresses that may send to other hosts without logging in. Counts where relaying is denied by default.',
    spec: 'SMTPD-04',
    default: [],
    ...ipList,
  }),
  relayDeny: list({
    attribute: 'mtSmtpdRelayDeny',
    label: 'Who may not relay',
    help: 'Network addresses that may not send to other hosts without logging in. Counts where relaying is allowed by default.',
    spec: 'SMTPD-04',
    default: [],
    ...ipList,
  }),
};
