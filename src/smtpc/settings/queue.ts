/** How the queue is worked and what a session takes. Source: manual chapter 6 "SMTPC Queue Management Parameters"; checklist SMTPC-01 */

import { boolean, integer } from '../../settings/index.ts';

export const queue = {
  sessions: integer({
    attribute: 'mtSmtpcSessions',
    label: 'Maximum sessions',
    help: 'Connections to other servers at one time.',
    spec: 'SMTPC-01',
    default: 30,
    min: 1,
    max: 1_000,
    unit: 'sessions',
  }),
  recipientsPerTransaction: integer({
    attribute: 'mtSmtpcRecipientsPerTransaction',
    label: 'Recipients of a transaction',
    help: 'A message with more recipients at one destination is sent there several times.',
    spec: 'RFC 5321 §4.5.3.1.8',
    default: 100,
    min: 1,
    max: 1_000,
    unit: 'recipients',
  }),
  runInterval: integer({
    attribute: 'mtSmtpcRunInterval',
    label: 'Queue run interval',
    help: 'The queue is looked at this often even when nothing reported work.',
    spec: 'SMTPC-01',
    default: 1,
    min: 1,
    max: 60,
    unit: 'minutes',
  }),
  port: integer({
    attribute: 'mtSmtpcPort',
    label: 'Destination port',
    help: 'The port of other servers.',
    spec: 'SMTPC-01',
    default: 25,
    min: 1,
    max: 65_535,
  }),
  esmtp: boolean({
    attribute: 'mtSmtpcEsmtp',
    label: 'Use ESMTP',
    help: 'Says EHLO and uses what the other server offers. Off: HELO only.',
    spec: 'SMTPD-01',
    default: true,
  }),
};
