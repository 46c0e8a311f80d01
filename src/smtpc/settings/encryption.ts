/** When a session is encrypted, and what a certificate is asked for. Source: checklist SMTPC-12 */

import { boolean, choice } from '../../settings/index.ts';

export const encryption = {
  tls: choice({
    attribute: 'mtSmtpcTls',
    label: 'Encryption',
    help: 'Whether STARTTLS is used: never, where it is offered, or always (mail waits where it is not offered).',
    spec: 'SMTPC-12, RFC 3207',
    choices: ['off', 'opportunistic', 'required'],
    default: 'opportunistic',
  }),
  tlsVerify: boolean({
    attribute: 'mtSmtpcTlsVerify',
    label: 'Verify certificates',
    help: 'Mail is sent over an encrypted connection only where the certificate is good. Most servers on the Internet fail this.',
    spec: 'SMTPC-12, RFC 7435',
    default: false,
  }),
};
