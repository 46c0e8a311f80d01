/**
 * Answers FETCH, message by message.
 *
 * Promise: memory does not grow with the number or size of messages: they are read in batches, bodies in chunks, and each waits
 * until the peer reads. A literal is as long as it says: when its octets cannot be had in full the connection ends. A message that
 * is gone meanwhile is left out, one that cannot be read is told as NIL and counted.
 * Spec: RFC 3501 §6.4.5, RFC 7162 §3.1
 */

import type { StoredMessage } from '../../store/index.ts';
import type { SelectedMailbox } from '../mailbox/selected.ts';
import { batches, pace } from '../pace.ts';
import type { Session } from '../session.ts';
import { Disconnected } from '../wire/input.ts';
import { dateTime } from '../wire/quote.ts';
import { bodyText } from './body-structure.ts';
import { envelopeText } from './envelope.ts';
import { chooseFields, longestHeader } from './header-fields.ts';
import type { FetchItem, SectionItem } from './items.ts';
import { type OctetRange, octetsOf } from './section.ts';

const batchSize = 32;
/** Bodies up to this size are read in one go. */
const oneRead = 64 * 1024;

export interface FetchOutcome {
  /** Messages that no longer exist. */
  missing: number;
  /** UIDs of which something could not be read, and why the last of them. */
  readonly unreadable: Set<number>;
  cause?: unknown;
}

interface Job {
  readonly session: Session;
  readonly mailbox: SelectedMailbox;
  readonly items: readonly FetchItem[];
  readonly outcome: FetchOutcome;
}

export async function fetchMessages(
  session: Session,
  mailbox: SelectedMailbox,
  at: Iterable<number>,
  items: readonly FetchItem[],
): Promise<FetchOutcome> {
  const job: Job = { session, mailbox, items, outcome: { missing: 0, unreadable: new Set() } };
  const stored = items.some((item) => item.kind === 'section' || ['ENVELOPE', 'BODY', 'BODYSTRUCTURE'].includes(item.kind));
  if (stored) await fetchStored(job, at);
  else await fetchKnown(job, at);
  return job.outcome;
}

/** Items that the session's own table answers. */
async function fetchKnown({ session, mailbox, items }: Job, at: Iterable<number>): Promise<void> {
  const { out } = session;
  const step = pace(500);
  for (const position of at) {
    out.text(`* ${position + 1} FETCH (${items.map((item) => knownItem(mailbox, position, item)).join(' ')})\r\n`);
    await step();
    await out.room();
  }
}

async function fetchStored(job: Job, at: Iterable<number>): Promise<void> {
  const { session, mailbox, outcome } = job;
  const marks = !mailbox.readOnly && job.items.some((item) => item.kind === 'section' && !item.peek);
  for (const batch of batches(at, batchSize)) {
    const seen = marks ? await markSeen(job, batch) : new Set<number>();
    const uids = batch.map((position) => mailbox.table.uid(position));
    const messages = await session.store.messages(mailbox.account, mailbox.info.id, uids);
    for (const [n, position] of batch.entries()) {
      const message = messages[n];
      if (message) await writeMessage(job, position, message, seen.has(position));
      else outcome.missing += 1;
      await session.out.room();
    }
  }
}

/** Sets \Seen where it is missing; the positions whose flags changed. */
async function markSeen({ session, mailbox }: Job, batch: readonly number[]): Promise<Set<number>> {
  const { table } = mailbox;
  const unseen = batch.filter((position) => !table.flags(position).includes('\\Seen'));
  if (unseen.length === 0) return new Set();
  const uids = unseen.map((position) => table.uid(position));
  const { changed } = await session.store.changeFlags(mailbox.account, mailbox.info.id, uids, { operation: 'add', flags: ['\\Seen'] });
  for (const entry of changed) mailbox.apply(entry);
  mailbox.touch();
  return new Set(unseen);
}

async function writeMessage(job: Job, position: number, message: StoredMessage, flagsChanged: boolean): Promise<void> {
  const { session, mailbox } = job;
  const { out } = session;
  let texts: (string | undefined)[];
  try {
    texts = job.items.map((item) => (item.kind === 'section' ? undefined : storedItem(mailbox, position, message, item)));
  } catch (thrown) {
    // Nothing of this message has been said yet, so that it can be left out.
    unreadable(job, message, thrown);
    return;
  }
  out.text(`* ${position + 1} FETCH (`);
  for (const [n, item] of job.items.entries()) {
    if (n > 0) out.text(' ');
    if (item.kind === 'section') await writeSection(job, message, item);
    else out.text(texts[n] ?? '');
  }
  if (flagsChanged) {
    if (!job.items.some((item) => item.kind === 'FLAGS')) out.text(` ${mailbox.flagsItem(position)}`);
    if (session.enabled.has('CONDSTORE') && !job.items.some((item) => item.kind === 'MODSEQ'))
      out.text(` MODSEQ (${mailbox.table.modSeq(position)})`);
  }
  out.text(')\r\n');
}

function knownItem(mailbox: SelectedMailbox, position: number, item: FetchItem): string {
  const { table } = mailbox;
  switch (item.kind) {
    case 'UID':
      return `UID ${table.uid(position)}`;
    case 'FLAGS':
      return mailbox.flagsItem(position);
    case 'INTERNALDATE':
      return `INTERNALDATE ${dateTime(table.internalDate(position))}`;
    case 'RFC822.SIZE':
      return `RFC822.SIZE ${table.size(position)}`;
    case 'MODSEQ':
      return `MODSEQ (${table.modSeq(position)})`;
    default:
      return '';
  }
}

function storedItem(mailbox: SelectedMailbox, position: number, message: StoredMessage, item: FetchItem): string {
  switch (item.kind) {
    case 'ENVELOPE':
      return `ENVELOPE ${envelopeText(message.structure.envelope)}`;
    case 'BODY':
      return `BODY ${bodyText(message.structure.root, false)}`;
    case 'BODYSTRUCTURE':
      return `BODYSTRUCTURE ${bodyText(message.structure.root, true)}`;
    default:
      return knownItem(mailbox, position, item);
  }
}

async function writeSection(job: Job, message: StoredMessage, item: SectionItem): Promise<void> {
  const { out } = job.session;
  out.text(`${item.label} `);
  try {
    const range = octetsOf(message, item.section);
    if (!range) out.text('NIL');
    else if (item.section.what === 'fields' || item.section.what === 'fields-not') await writeFields(job, message, item, range);
    else await writeOctets(job, message, cut(range, item.partial));
  } catch (thrown) {
    if (thrown instanceof Disconnected) throw thrown;
    unreadable(job, message, thrown);
    out.text('NIL');
  }
}

function unreadable({ outcome }: Job, { uid }: StoredMessage, cause: unknown): void {
  outcome.unreadable.add(uid);
  outcome.cause = cause;
}

function cut(range: OctetRange, partial: SectionItem['partial']): OctetRange {
  if (!partial) return range;
  const start = Math.min(range.start + partial.offset, range.end);
  return { start, end: Math.min(start + partial.count, range.end) };
}

async function writeFields({ session }: Job, message: StoredMessage, item: SectionItem, range: OctetRange): Promise<void> {
  const header = await session.store.read(message, range.start, Math.min(range.end, range.start + longestHeader));
  const chosen = chooseFields(header, item.section.fields, item.section.what === 'fields-not');
  const { start, end } = cut({ start: 0, end: chosen.length }, item.partial);
  writeLiteral(session, chosen.subarray(start, end));
}

function writeLiteral({ out }: Session, octets: Uint8Array): void {
  out.text(`{${octets.length}}\r\n`);
  out.octets(octets);
}

async function writeOctets({ session }: Job, message: StoredMessage, { start, end }: OctetRange): Promise<void> {
  const { out, store } = session;
  const length = Math.max(0, end - start);
  if (length <= oneRead) {
    const octets = length === 0 ? new Uint8Array(0) : await store.read(message, start, end);
    if (octets.length !== length) throw new Error(`message ends at octet ${start + octets.length} of ${end}`);
    writeLiteral(session, octets);
    return;
  }
  // The first read comes before the announcement: what cannot be read at all is told as NIL.
  const first = await store.read(message, start, start + oneRead);
  out.text(`{${length}}\r\n`);
  let left = length - first.length;
  try {
    out.octets(first);
    for await (const chunk of store.stream(message, start + first.length, end)) {
      await out.room();
      left -= chunk.length;
      if (left < 0) break;
      out.octets(chunk);
    }
  } catch (thrown) {
    throw thrown instanceof Disconnected ? thrown : broken(thrown);
  }
  if (left !== 0) throw broken(new Error(`${left} octets are missing`));
}

/** Within a literal nothing can be said any more. */
function broken(cause: unknown): Disconnected {
  return new Disconnected('a message could not be read to its end', { cause });
}
