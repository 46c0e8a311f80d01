/** What can be set about SMTPC. Source: manual chapter 6 "SMTP Parameters"; checklist SMTPC-* */

import { declareSettings, type SettingsOf } from '../../settings/index.ts';
import { connections } from './connections.ts';
import { encryption } from './encryption.ts';
import { etrn } from './etrn.ts';
import { notices } from './notices.ts';
import { priority } from './priority.ts';
import { queue } from './queue.ts';
import { relays } from './relays.ts';
import { routing } from './routing.ts';
import { timeouts } from './timeouts.ts';
import { tlsReports } from './tls-reports.ts';

export const smtpcSettings = declareSettings({
  objectClass: 'mtSmtpc',
  entry: 'cn=smtpc',
  title: 'SMTPC',
  help: 'Sends mail to other servers. Changes hold for the next connection. Intervals, retry period and sessions for one destination are agreed with its peer (cn=peers).',
  settings: {
    ...queue,
    ...priority,
    ...timeouts,
    ...encryption,
    ...tlsReports,
    ...notices,
    ...routing,
    ...relays,
    ...connections,
    ...etrn,
  },
});

export type SmtpcSettings = SettingsOf<(typeof smtpcSettings)['settings']>;

/** Settings that decide which hosts mail goes to, and how they are reached. */
export const wayKeys = Object.keys({ ...routing, ...relays, ...connections }) as readonly (keyof SmtpcSettings)[];
