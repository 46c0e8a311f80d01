/**
 * Noting that the door refused a message or a recipient: in the log with the rule that decided, and in the metrics.
 *
 * A rule is named by the attribute of the setting or by the entry in the directory, so that an administrator finds it; what no
 * setting decides has a plain word. Source: checklist SRV-06
 */

import { counter, oneLine } from '../base/index.ts';
import { originWords, shownAtMost, storyWord, withWords } from '../queue/index.ts';
import type { Reply, Session } from './session.ts';

const rejected = counter('mailtree_rejected_total', 'Recipients, or messages before any recipient, refused by the SMTP door, by rule.', [
  'rule',
]);

export interface Refused {
  readonly rule: string;
  /** Where the rule stands, for people. */
  readonly why?: string;
  /** Empty where the refusal came before any. */
  readonly recipients: readonly string[];
  readonly reply: Reply;
  /** Where there is no transaction yet. */
  readonly sender?: string;
}

export function noteRefused(session: Session, { rule, why, recipients, reply, sender }: Refused): void {
  rejected.add(Math.max(1, recipients.length), rule);
  const { log } = session.house;
  if (!log.enabled('message')) return;
  const { state, address, tls, user, id } = session;
  const from = sender ?? (state.at === 'mail' ? state.mail.sender : undefined);
  const helo = state.at === 'start' ? {} : { helo: state.helo };
  const to = recipients.slice(0, shownAtMost).map(storyWord).join(',');
  const head = `Rejected${from === undefined ? '' : ` from: <${storyWord(from)}>`}${to === '' ? '' : ` to ${to}`}`;
  const words = [
    ['rule', rule],
    ['session', id],
    ...originWords({ address, tls, ...helo, ...(user ? { login: user.mail } : {}) }),
  ] as Parameters<typeof withWords>[1];
  const said = typeof reply.text === 'string' ? reply.text : reply.text.join(' ');
  const text = [reply.code, ...(reply.status ? [reply.status] : []), said].join(' ');
  log.message(withWords(head, words, oneLine(why === undefined ? text : `${text} (rule: ${why})`)), () => ({
    step: 'Rejected',
    sender: from,
    recipients: recipients.slice(0, shownAtMost),
    ...Object.fromEntries(words),
    reply: text,
  }));
}
