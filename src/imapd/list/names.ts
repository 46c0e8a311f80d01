/**
 * The answer to LIST and LSUB: which names match and what is said of each. Pure.
 * Spec: RFC 3501 §6.3.8, §6.3.9, RFC 3348, RFC 5258, RFC 6154
 */

import type { MailboxInfo } from '../../store/index.ts';
import { quote } from '../wire/quote.ts';
import { encodeUtf7 } from '../wire/utf7.ts';
import { compilePattern } from './pattern.ts';
import type { ListArguments } from './select-options.ts';

export interface Listed {
  readonly name: string;
  readonly line: string;
  readonly info: MailboxInfo | undefined;
}

function* ancestors(name: string): Generator<string> {
  for (let at = name.lastIndexOf('/'); at > 0; at = name.lastIndexOf('/', at - 1)) yield name.slice(0, at);
}

const ancestorsOfAll = (names: Iterable<string>): Set<string> => new Set([...names].flatMap((name) => [...ancestors(name)]));

export function listLine(command: 'LIST' | 'LSUB', attributes: readonly string[], name: string, extra = ''): string {
  return `* ${command} (${attributes.join(' ')}) "/" ${quote(encodeUtf7(name))}${extra}\r\n`;
}

/** LIST in all its forms. Undefined stands for a name that is not listed, so that whoever walks over them can rest. */
export function* list(
  mailboxes: readonly MailboxInfo[],
  subscriptions: readonly string[],
  wanted: ListArguments,
): Generator<Listed | undefined> {
  const existing = new Map(mailboxes.map((info) => [info.name, info]));
  const subscribed = new Set(subscriptions);
  const parents = ancestorsOfAll(existing.keys());
  const subscribedParents = wanted.recursive ? ancestorsOfAll(subscribed) : new Set<string>();
  const matchers = wanted.patterns.map(compilePattern);
  const names = wanted.subscribed ? new Set([...existing.keys(), ...subscribed, ...subscribedParents]) : new Set(existing.keys());
  for (const name of names) {
    const info = existing.get(name);
    const hasSubscribedBelow = subscribedParents.has(name);
    const chosen =
      (!wanted.subscribed || subscribed.has(name) || hasSubscribedBelow) && (!wanted.special || (info?.specialUse.length ?? 0) > 0);
    if (!chosen || !matchers.some((matches) => matches(name))) {
      yield undefined;
      continue;
    }
    const attributes = [
      ...(info ? (info.selectable ? [] : ['\\Noselect']) : ['\\NonExistent']),
      parents.has(name) ? '\\HasChildren' : '\\HasNoChildren',
      ...((wanted.subscribed || wanted.returnSubscribed) && subscribed.has(name) ? ['\\Subscribed'] : []),
      ...(info?.specialUse ?? []),
    ];
    yield { name, info, line: listLine('LIST', attributes, name, hasSubscribedBelow ? ' ("CHILDINFO" ("SUBSCRIBED"))' : '') };
  }
}

/** LSUB: subscribed names, and for a pattern with `%` the levels above those it does not reach. Undefined as with `list`. */
export function* lsub(mailboxes: readonly MailboxInfo[], subscriptions: readonly string[], pattern: string): Generator<string | undefined> {
  const existing = new Map(mailboxes.map((info) => [info.name, info]));
  const subscribed = new Set(subscriptions);
  const matches = compilePattern(pattern);
  const above = pattern.includes('%') ? ancestorsOfAll(subscribed) : new Set<string>();
  for (const name of new Set([...subscribed, ...above])) {
    if (!matches(name)) {
      yield undefined;
      continue;
    }
    const shown = subscribed.has(name) && (existing.get(name)?.selectable ?? true);
    yield listLine('LSUB', shown ? [] : ['\\Noselect'], name);
  }
}
