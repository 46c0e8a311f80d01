/** The commands of SMTPD that are ours; STARTTLS and AUTH are spoken by the adapter. */

import type { Command } from '../session.ts';
import { bdat } from './bdat.ts';
import { data } from './data.ts';
import { etrn } from './etrn.ts';
import { ehlo, helo } from './hello.ts';
import { mail } from './mail.ts';
import { rcpt } from './rcpt.ts';
import { expn, help, noop, quit, rset, vrfy } from './small.ts';

export const commands: ReadonlyMap<string, Command> = new Map(
  [helo, ehlo, mail, rcpt, data, bdat, rset, noop, quit, help, vrfy, expn, etrn].map((command) => [command.name, command]),
);
