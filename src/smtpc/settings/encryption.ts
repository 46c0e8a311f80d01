/** When a session is encrypted, and what a certificate is asked for. Source: checklist SMTPC-12 */

import { boolean, choice, integer, text } from '../../settings/index.ts';

export const encryption = {
  tls: choice({
    attribute: 'mtSmtpcTls',
    label: 'Encryption',
    help: 'Whether STARTTLS is used: never, where it is offered, or always (mail waits where it is not offered). DANE and MTA-STS of the domain mail goes to ask for more, but not where this is off. A peer with a word of its own (mtPeerTls) has it.',
    spec: 'SMTPC-12, RFC 3207',
    choices: ['off', 'opportunistic', 'required'],
    default: 'opportunistic',
  }),
  tlsVerify: boolean({
    attribute: 'mtSmtpcTlsVerify',
    label: 'Verify certificates',
    help: 'Where encryption is required, the certificate must be good, too, and for the name of the host. Most servers on the Internet fail this. Where encryption is opportunistic mail goes anyhow, and the log says whether the certificate was good.',
    spec: 'SMTPC-12, RFC 7435',
    default: false,
  }),
  tlsTrustedFile: text({
    attribute: 'mtSmtpcTlsTrustedFile',
    label: 'Further certificate authorities',
    help: 'A file of certificates (PEM) of authorities that are believed beside the well-known ones, for other mail servers, for policies of MTA-STS and for reports. A changed file is read again.',
    spec: 'SMTPC-12, RFC 5280 §6',
    default: '',
    max: 1_000,
    pattern: /(|\/[^\u0000-\u001f]*)/,
    patternHelp: 'a path from the root',
  }),
  tlsClientCertificate: boolean({
    attribute: 'mtSmtpcTlsClientCertificate',
    label: 'Own certificate for who asks',
    help: "A server that asks for a client's certificate is shown the one of this server.",
    spec: 'SMTPC-12, RFC 8446 §4.4.2',
    default: false,
  }),
  dane: boolean({
    attribute: 'mtSmtpcDane',
    label: 'DANE',
    help: 'Hosts with TLSA records get mail over a session with a certificate that these name, or not at all. Needs name servers that validate (DNSSEC); see mtSmtpcDnssec.',
    spec: 'SMTPC-12, RFC 7672',
    default: true,
  }),
  dnssec: choice({
    attribute: 'mtSmtpcDnssec',
    label: 'Name servers that validate',
    help: 'Whose word counts that an answer is authentic: of name servers on this host alone, of all that are set up (the way to them must be safe), or nobody (no DANE).',
    spec: 'SMTPC-12, RFC 4035 §4.9.3, RFC 7672 §2.1',
    choices: ['loopback', 'all', 'none'],
    default: 'loopback',
  }),
  sts: boolean({
    attribute: 'mtSmtpcSts',
    label: 'MTA-STS',
    help: "A domain's published policy is fetched, remembered and obeyed: mail goes to the hosts it names, over a session with a certificate that is good.",
    spec: 'SMTPC-12, RFC 8461',
    default: true,
  }),
  stsPort: integer({
    attribute: 'mtSmtpcStsPort',
    label: 'Port of policies',
    help: 'Where the policies of MTA-STS are fetched. Another one than 443 is for trials.',
    spec: 'SMTPC-12, RFC 8461 §3.3',
    default: 443,
    min: 1,
    max: 65_535,
  }),
};
