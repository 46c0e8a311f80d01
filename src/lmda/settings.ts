/** What can be set about local delivery. Source: checklist LMDA-01, LMDA-08 */

import { boolean, choice, declareSettings, integer, type SettingsOf } from '../settings/index.ts';

export const lmdaSettings = declareSettings({
  objectClass: 'mtLmda',
  entry: 'cn=lmda',
  title: 'Local delivery',
  help: 'Puts mail of the LOCAL queue into mailboxes.',
  settings: {
    processors: integer({
      attribute: 'mtLmdaProcessors',
      label: 'Messages at a time',
      help: 'How many messages are delivered at the same time. Deliveries that happen together share one write to disk.',
      default: 32,
      min: 1,
      max: 500,
      unit: 'messages',
    }),
    overQuota: choice({
      attribute: 'mtLmdaOverQuota',
      label: 'Over quota',
      help: 'What happens to mail for an account that has no room left: bounced with the reason, or kept in the queue and tried again.',
      choices: ['bounce', 'defer'] as const,
      default: 'bounce',
      spec: 'checklist LMDA-08',
    }),
    disabled: choice({
      attribute: 'mtLmdaDisabled',
      label: 'Account disabled',
      help: 'What happens to mail for an account that is disabled or may not receive: bounced with the reason, or kept in the queue and tried again.',
      choices: ['bounce', 'defer'] as const,
      default: 'bounce',
      spec: 'checklist LMDA-08',
    }),
    retryDelay: integer({
      attribute: 'mtLmdaRetryDelay',
      label: 'Delay of the first retry',
      help: 'How long mail waits that could not be delivered for now. It doubles with every try, up to an hour.',
      default: 60,
      min: 1,
      max: 3600,
      unit: 'seconds',
    }),
    giveUpDays: integer({
      attribute: 'mtLmdaGiveUp',
      label: 'Bounced after',
      help: 'Mail that could not be delivered for this long is bounced.',
      default: 5,
      min: 1,
      max: 10,
      unit: 'days',
      spec: 'RFC 5321 §4.5.4.1',
    }),
    successReports: boolean({
      attribute: 'mtLmdaSuccessReports',
      label: 'Reports of success',
      help: 'Senders who ask for it (NOTIFY=SUCCESS) are told of a delivery.',
      default: true,
      spec: 'RFC 3461 §5.2.2',
    }),
  },
});

export type LmdaSettings = SettingsOf<(typeof lmdaSettings)['settings']>;
