/** What can be set about SMTPD. Source: manual chapter 3 "Anti-Spam", chapter 6 "SMTP Parameters", "SMTPD Options"; checklist SMTPD-* */

import { declareSettings } from '../../settings/index.ts';
import { addresses } from './addresses.ts';
import { clients } from './clients.ts';
import { extensions } from './extensions.ts';
import { limits } from './limits.ts';
import { senders } from './senders.ts';

export const smtpdSettings = declareSettings({
  objectClass: 'mtSmtpd',
  entry: 'cn=smtpd',
  title: 'SMTPD',
  help: 'Takes mail from other servers and from users. Changes hold for connections opened after them.',
  settings: { ...limits, ...addresses, ...clients, ...senders, ...extensions },
});
