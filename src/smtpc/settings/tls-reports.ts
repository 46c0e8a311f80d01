/** Reports about encryption to the domains mail goes to. Source: checklist SMTPC-12; RFC 8460 */

import { boolean, text } from '../../settings/index.ts';

const address = /(|[^\s<>@,;:"()]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)/;

export const tlsReports = {
  tlsReports: boolean({
    attribute: 'mtSmtpcTlsReports',
    label: 'TLS reports',
    help: 'Domains that ask for it (_smtp._tls) get a daily report of how many sessions were encrypted as their policy wants, and what failed. Nothing is counted while this is off.',
    spec: 'SMTPC-12, RFC 8460',
    default: false,
  }),
  tlsReportOrganization: text({
    attribute: 'mtSmtpcTlsReportOrganization',
    label: 'Organization in TLS reports',
    help: 'Who reports. Empty: the local domain.',
    spec: 'SMTPC-12, RFC 8460 §4.4',
    default: '',
    max: 200,
  }),
  tlsReportContact: text({
    attribute: 'mtSmtpcTlsReportContact',
    label: 'Contact in TLS reports',
    help: 'An address for questions about the reports. Empty: the postmaster.',
    spec: 'SMTPC-12, RFC 8460 §4.4',
    default: '',
    max: 254,
    pattern: address,
    patternHelp: 'a mail address',
  }),
  tlsReportFrom: text({
    attribute: 'mtSmtpcTlsReportFrom',
    label: 'Sender of TLS reports',
    help: 'The address that reports are mailed from; what cannot be delivered comes back to it. Empty: the postmaster. Its domain is who submits the reports.',
    spec: 'SMTPC-12, RFC 8460 §5.3',
    default: '',
    max: 254,
    pattern: address,
    patternHelp: 'a mail address',
  }),
};
