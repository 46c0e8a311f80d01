/**
 * Does a message match? First from what the session knows, then from the stored structure, last from its octets.
 *
 * `known` answers what the table can, and says undefined for what needs the message; `matches` answers everything.
 * Spec: RFC 3501 §6.4.4
 */

import type { Envelope } from '../../mail/index.ts';
import type { StoredMessage } from '../../store/index.ts';
import { positions, type Runs } from '../mailbox/runs.ts';
import type { SelectedMailbox } from '../mailbox/selected.ts';
import type { DayRelation, SearchKey } from './keys.ts';
import { addressText, type MessageText } from './message-text.ts';
import { decodeWords, fold } from './text.ts';

const dayMs = 86_400_000;

export interface Scope {
  readonly mailbox: SelectedMailbox;
  /** Resolved sets, each as a flag per position. */
  readonly members: ReadonlyMap<SearchKey, Uint8Array>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A set as a flag per position. */
export function membership(runs: Runs, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (const position of positions(runs)) out[position] = 1;
  return out;
}

export function known(key: SearchKey, scope: Scope, position: number): boolean | undefined {
  const { table } = scope.mailbox;
  switch (key.kind) {
    case 'all':
      return true;
    case 'and':
      return all(key.keys.map((k) => known(k, scope, position)));
    case 'or':
      return not(all([not(known(key.left, scope, position)), not(known(key.right, scope, position))]));
    case 'not':
      return not(known(key.key, scope, position));
    case 'flag':
      return table.flags(position).includes(key.flag.startsWith('\\') ? key.flag : scope.mailbox.spelling(key.flag));
    case 'recent':
      return scope.mailbox.isRecent(table.uid(position));
    case 'set':
      return scope.members.get(key)?.[position] === 1;
    case 'larger':
      return table.size(position) > key.octets;
    case 'smaller':
      return table.size(position) < key.octets;
    case 'internal':
      return relates(table.internalDate(position), key.relation, key.day);
    case 'older':
      return table.internalDate(position) <= scope.now - key.seconds * 1000;
    case 'younger':
      return table.internalDate(position) >= scope.now - key.seconds * 1000;
    case 'mod-seq':
      return table.modSeq(position) >= key.least;
    default:
      return undefined;
  }
}

const not = (value: boolean | undefined): boolean | undefined => (value === undefined ? undefined : !value);

function all(values: readonly (boolean | undefined)[]): boolean | undefined {
  if (values.includes(false)) return false;
  return values.includes(undefined) ? undefined : true;
}

function relates(ms: number, relation: DayRelation, day: number): boolean {
  if (relation === 'before') return ms < day;
  return relation === 'since' ? ms >= day : ms >= day && ms < day + dayMs;
}

export async function matches(key: SearchKey, scope: Scope, position: number, message: StoredMessage, text: MessageText): Promise<boolean> {
  const answer = known(key, scope, position);
  if (answer !== undefined) return answer;
  switch (key.kind) {
    case 'and':
      for (const k of key.keys) if (!(await matches(k, scope, position, message, text))) return false;
      return true;
    case 'or':
      return (await matches(key.left, scope, position, message, text)) || (await matches(key.right, scope, position, message, text));
    case 'not':
      return !(await matches(key.key, scope, position, message, text));
    case 'sent': {
      const day = sentDay(message.structure);
      return day !== undefined && relates(day, key.relation, key.day);
    }
    case 'address':
      return fold(addressText(message.structure.envelope[key.field])).includes(key.text);
    case 'subject':
      return fold(decodeWords(message.structure.envelope.subject ?? '')).includes(key.text);
    case 'header': {
      const stored = envelopeField(message.structure.envelope, key.name);
      return stored === undefined ? text.headerHas(key.name, key.text) : stored !== null && fold(decodeWords(stored)).includes(key.text);
    }
    case 'body':
      return text.bodyHas(key.text);
    case 'text':
      return (await text.wholeHeaderHas(key.text)) || text.bodyHas(key.text);
    default:
      return false;
  }
}

/** Fields the structure keeps verbatim; undefined for others. */
function envelopeField(envelope: Envelope, name: string): string | null | undefined {
  if (name === 'subject') return envelope.subject;
  if (name === 'message-id') return envelope.messageId;
  return name === 'in-reply-to' ? envelope.inReplyTo : undefined;
}

const dateField = /(\d{1,2})\s+([A-Za-z]{3})[a-z]*\s+(\d{2,4})/;
const monthNames = 'janfebmaraprmayjunjulaugsepoctnovdec';

/** The day in the Date header as it is written there, time and zone put aside: midnight UTC of that day. */
function sentDay({ envelope, sentAt }: StoredMessage['structure']): number | undefined {
  const found = dateField.exec(envelope.date ?? '');
  const month = found ? monthNames.indexOf(found[2]!.toLowerCase()) : -1;
  if (found && month >= 0 && month % 3 === 0) {
    const year = Number(found[3]);
    return Date.UTC(year < 50 ? year + 2000 : year < 1000 ? year + 1900 : year, month / 3, Number(found[1]));
  }
  return sentAt ?? undefined;
}
