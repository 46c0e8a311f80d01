/** How long each phase of a session may take. Source: manual chapter 6 "SMTP Timeout Tunings"; checklist SMTPC-07, SMTPC-08 */

import { boolean, integer } from '../../settings/index.ts';

const minutes = (attribute: string, label: string, help: string, initial: number) =>
  integer({ attribute, label, help, spec: 'SMTPC-07, RFC 5321 §4.5.3.2', default: initial, min: 1, max: 60, unit: 'minutes' });

export const timeouts = {
  timeoutInitial: minutes('mtSmtpcTimeoutInitial', 'Time-out: connection', 'How long to wait for the connection and for the greeting.', 5),
  timeoutHelo: minutes('mtSmtpcTimeoutHelo', 'Time-out: HELO', 'How long to wait for the reply to EHLO, HELO and STARTTLS.', 5),
  timeoutMail: minutes('mtSmtpcTimeoutMail', 'Time-out: MAIL', 'How long to wait for the reply to MAIL.', 5),
  timeoutRcpt: minutes('mtSmtpcTimeoutRcpt', 'Time-out: RCPT', 'How long to wait for the reply to RCPT.', 5),
  timeoutData: minutes('mtSmtpcTimeoutData', 'Time-out: DATA', 'How long to wait for the reply to DATA.', 5),
  timeoutBlock: minutes(
    'mtSmtpcTimeoutBlock',
    'Time-out: data block',
    'How long the other server may take to accept a piece of the message.',
    5,
  ),
  timeoutEnd: minutes('mtSmtpcTimeoutEnd', 'Time-out: end of data', 'How long to wait for the reply to the whole message.', 10),
  timeoutQuit: minutes('mtSmtpcTimeoutQuit', 'Time-out: QUIT', 'How long to wait for the reply to QUIT.', 5),
  treat554AsTemporary: boolean({
    attribute: 'mtSmtpcTreat554AsTemporary',
    label: '554 after DATA is temporary',
    help: 'Some servers answer 554 to a message for reasons that pass: it is tried again instead of bounced.',
    spec: 'SMTPC-08',
    default: true,
  }),
};
