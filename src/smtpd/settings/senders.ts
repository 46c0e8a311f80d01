/** Whose mail SMTPD takes, by the address in MAIL FROM. */

import { boolean } from '../../settings/index.ts';
import { refusalCode } from './shapes.ts';

export const senders = {
  rejectSpammers: boolean({
    attribute: 'mtSmtpdRejectSpammers',
    label: 'Reject spammers',
    help: 'A sender that stands below cn=spammers,cn=mta, by address or by domain, is refused at MAIL FROM. Users who have logged in are not concerned.',
    spec: 'SMTPD-07',
    default: true,
  }),
  spammerCode: refusalCode('mtSmtpdSpammerCode', 'Refused spammers', 'a spammer', 'SMTPD-07'),
  rejectSenderDomain: boolean({
    attribute: 'mtSmtpdRejectSenderDomain',
    label: 'Reject senders whose domain takes no mail',
    help: 'A sender whose domain has neither MX nor A nor AAAA record, or says that it takes no mail (RFC 7505), is refused at MAIL FROM. While the DNS does not answer it is put off with 450. Users who have logged in are not concerned.',
    spec: 'SMTPD-08',
    default: false,
  }),
  senderDomainCode: refusalCode('mtSmtpdSenderDomainCode', 'Refused sender domains', 'a sender whose domain takes no mail', 'SMTPD-08'),
};
