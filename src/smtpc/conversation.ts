/**
 * What is said in a session with another server, for the log: each command and each reply, as SMTPD does it.
 *
 * Promise: nothing that is said while logging in is shown, neither a password nor a challenge, nor any of the message's data; where
 * the level is lower it costs a comparison. The level is looked at when the session begins.
 * Source: manual chapter 10, "Levels of Logging"; checklist SRV-05
 */

import { randomBytes } from 'node:crypto';
import type { Log } from '../base/index.ts';

export interface Conversation {
  sent(line: string): void;
  /** A whole reply. */
  heard(reply: string): void;
  closed(): void;
}

const longestLine = 1_000;

/** Undefined where nobody wants to know. `where` is told in the first line: the peer's name and address. */
export function conversation(log: Log, where: string): Conversation | undefined {
  if (!log.enabled('smtp')) return undefined;
  const id = randomBytes(4).toString('hex');
  /** The peer has asked for more: the next line belongs to a log-in, or is the beginning of the data. */
  let secret = false;
  log.smtp(`${id} connected to ${where}`);
  return {
    sent(line) {
      const [, login] = /^(AUTH \S+)/i.exec(line) ?? [];
      const shown = login === undefined ? line : `${login}${line.length > login.length ? ' /* secured */' : ''}`;
      log.smtp(`${id} > ${(secret ? '/* secured */' : shown).slice(0, longestLine)}`);
      secret = false;
    },
    heard(reply) {
      secret = reply.startsWith('334');
      if (!secret)
        log.smtp(
          `${id} < ${reply
            .trimEnd()
            .split(/\s*\r?\n/)
            .join(' / ')
            .slice(0, longestLine)}`,
        );
    },
    closed: () => log.smtp(`${id} closed`),
  };
}
