/** What senders are told. Source: manual chapter 6 "Delayed Mail Notification"; checklist SMTPC-09, SMTPC-10 */

import { boolean, integer } from '../../settings/index.ts';

export const notices = {
  delayNotice: boolean({
    attribute: 'mtSmtpcDelayNotice',
    label: 'Delayed mail notification',
    help: 'Tells the sender when a message is late, unless the sender asked for no such notices. A sender who asked for them gets them in any case.',
    spec: 'SMTPC-09',
    default: false,
  }),
  delayNoticeAfter: integer({
    attribute: 'mtSmtpcDelayNoticeAfter',
    label: 'Delay before the notification',
    help: 'How late a message must be.',
    spec: 'SMTPC-09',
    default: 4,
    min: 1,
    max: 720,
    unit: 'hours',
  }),
};
