/**
 * Does a message match? First from what the session knows, then from the stored structure, last from its octets.
 *
 * `known` answers what the table can, and says undefined for what needs the message; `matches` answers everything.
 * Spec: RFC 3501 §6.4.4
 */

import type { StoredMessage } from '../../store/index.ts';
import type { Runs } from '../mailbox/runs.ts';
import type { SelectedMailbox } from '../mailbox/selected.ts';
import type { DayRelation, SearchKey } from './keys.ts';
import type { EnvelopeTextField, MessageText } from './message-text.ts';

const dayMs = 86_400_000;

export interface Scope {
  readonly mailbox: SelectedMailbox;
  /** Resolved sets. */
  readonly members: ReadonlyMap<SearchKey, Runs>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Whether one of the runs, which ascend, has this position. */
function within(runs: Runs, position: number): boolean {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (runs[middle]![1] <= position) low = middle + 1;
    else high = middle;
  }
  return low < runs.length && runs[low]![0] <= position;
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
      return within(scope.members.get(key) ?? [], position);
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
      return text.addresses(key.field).includes(key.text);
    case 'subject':
      return text.envelopeText('subject').includes(key.text);
    case 'header': {
      const field = envelopeFields[key.name];
      if (field === undefined) return text.headerHas(key.name, key.text);
      return message.structure.envelope[field] !== null && text.envelopeText(field).includes(key.text);
    }
    case 'body':
      return text.bodyHas(key.text);
    case 'text':
      return (await text.wholeHeaderHas(key.text)) || text.bodyHas(key.text);
    default:
      return false;
  }
}

/** Fields the structure keeps verbatim. */
const envelopeFields: Readonly<Record<string, EnvelopeTextField>> = Object.assign(Object.create(null), {
  subject: 'subject',
  'message-id': 'messageId',
  'in-reply-to': 'inReplyTo',
});

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
