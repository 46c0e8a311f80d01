/**
 * `mailtree trace`: everything that happened to a message, from the log and the queue.
 *
 * A question names a queue id, a Message-ID or an address. The first reading of the log finds the messages that are meant, further
 * ones what they came of and what came of them (reports, changed copies), the last one their lines.
 *
 * Promise: memory is bounded by the limits, whatever the size of the log; what is left out is said.
 */

import { Fault } from '../../base/index.ts';
import { isQueueId, type QueuedRecipient, type QueueListing, readStory, type StoryRead } from '../../queue/index.ts';
import { type LogEvent, type LogPlace, logEvents, logPlaces } from './log-lines.ts';

export interface TraceQuestion {
  /** Queue id, Message-ID with or without brackets, or address. */
  readonly about: string;
  /** Milliseconds since 1970. */
  readonly since?: number;
  /** Messages at most; the newest count. */
  readonly limit: number;
}

export interface TraceStep extends Partial<StoryRead> {
  /** ISO 8601. */
  readonly time: string;
  readonly component: string;
  readonly level: string;
  /** The line as it stands in the log, without date and component. */
  readonly line: string;
}

export interface TracedMessage {
  readonly id: string;
  /** What this message came of. */
  readonly parent?: string;
  readonly steps: readonly TraceStep[];
  /** What still waits in the queue. */
  readonly waiting: readonly QueuedRecipient[];
}

export interface Trace {
  /** In the order of their ids, which is that of time. */
  readonly messages: readonly TracedMessage[];
  /** Refusals at the door, where there was no message yet. */
  readonly refused: readonly TraceStep[];
  /** Messages or steps that are not shown because there are too many. */
  readonly leftOut: boolean;
  /** Whether the queue could be asked as well. */
  readonly queueAsked: boolean;
}

/** The queue of a running server, or of the files. */
export interface TraceQueue {
  get(id: string): Promise<QueueListing | undefined>;
  /** Messages that wait and that `about` means, at most `limit`. */
  find(about: string, limit: number): Promise<readonly QueueListing[]>;
}

const mostSteps = 20_000;
const mostRounds = 20;
const isDoorRefusal = (read: StoryRead): boolean => read.id === undefined;

export async function traceMessages(folder: string, question: TraceQuestion, queue: TraceQueue | undefined): Promise<Trace> {
  const about = question.about.trim().replace(/^<(.*)>$/s, '$1');
  if (about === '' || about.length > 1_000) throw new Fault('malformed', 'a queue id, a Message-ID or an address is needed');
  const since = question.since ?? 0;
  const places = await logPlaces(folder, since);
  const wanted = new Wanted(about, question.limit);
  for await (const { event, read } of stories(places, since, wanted.mentions)) wanted.look(event, read);
  for (const { message } of (await queue?.find(about, question.limit)) ?? []) wanted.add(message.id);
  if (isQueueId(about) && (await queue?.get(about))) wanted.add(about);
  await wanted.addRelatives(() => stories(places, since, (line) => line.includes(' parent=')));
  return await collect(places, since, wanted, queue);
}

async function* stories(
  places: readonly LogPlace[],
  since: number,
  mentions: (line: string) => boolean,
): AsyncGenerator<{ event: LogEvent; read: StoryRead | undefined }> {
  for await (const event of logEvents(places, mentions)) {
    if (event.at < since - 1_000) continue;
    yield { event, read: event.level === 'message' ? readStory(event.text) : undefined };
  }
}

/** The messages that are meant. */
class Wanted {
  readonly #about: string;
  readonly #limit: number;
  readonly ids = new Set<string>();
  readonly refused: TraceStep[] = [];
  leftOut = false;

  constructor(about: string, limit: number) {
    this.#about = about.toLowerCase();
    this.#limit = limit;
  }

  /** Words are escaped in the line: what has anything to escape cannot be looked for in the raw line. */
  readonly mentions = (line: string): boolean => /[^\w.@+=$%/~-]/.test(this.#about) || line.toLowerCase().includes(this.#about);

  add(id: string): void {
    this.ids.add(id);
    if (this.ids.size <= this.#limit) return;
    this.leftOut = true;
    // Ids sort by time: the oldest goes.
    this.ids.delete([...this.ids].sort()[0] ?? '');
  }

  look(event: LogEvent, read: StoryRead | undefined): void {
    if (!read || !this.#means(read)) return;
    if (read.id !== undefined) this.add(read.id);
    else if (isDoorRefusal(read)) {
      this.refused.push(stepOf(event, read));
      if (this.refused.length > this.#limit) {
        this.refused.shift();
        this.leftOut = true;
      }
    }
  }

  #means({ id, sender, recipients, routes, words }: StoryRead): boolean {
    const about = this.#about;
    const is = (text: string | undefined): boolean => text !== undefined && text.toLowerCase() === about;
    return (
      id === about ||
      is(sender) ||
      is(words['msgid']) ||
      recipients.some(is) ||
      routes.some(({ address, original }) => is(address) || is(original))
    );
  }

  /** Parents of what is wanted and children of it, and theirs, until there are no more. */
  async addRelatives(read: () => AsyncIterable<{ read: StoryRead | undefined }>): Promise<void> {
    for (let round = 0; round < mostRounds && this.ids.size > 0; round += 1) {
      const before = this.ids.size;
      for await (const { read: story } of read()) {
        const parent = story?.words['parent'];
        if (story?.id === undefined || parent === undefined) continue;
        if (this.ids.has(parent) || this.ids.has(story.id)) this.#addRelatives(parent, story.id);
      }
      if (this.ids.size === before) return;
    }
  }

  #addRelatives(...ids: readonly string[]): void {
    for (const id of ids) {
      if (this.ids.has(id)) continue;
      if (this.ids.size >= this.#limit * 4) this.leftOut = true;
      else this.ids.add(id);
    }
  }
}

async function collect(places: readonly LogPlace[], since: number, wanted: Wanted, queue: TraceQueue | undefined): Promise<Trace> {
  const steps = new Map<string, TraceStep[]>([...wanted.ids].sort().map((id) => [id, []]));
  const parents = new Map<string, string>();
  let count = 0;
  const idOf = /(?:^|^[A-Z][a-z]+ )([0-9a-z]{16})(?=[: ]|$)/;
  if (steps.size > 0) {
    for await (const event of logEvents(places, (line) => /[0-9a-z]{16}/.test(line))) {
      const id = event.at < since - 1_000 ? undefined : idOf.exec(event.text)?.[1];
      const own = id === undefined ? undefined : steps.get(id);
      if (id === undefined || !own) continue;
      count += 1;
      if (count > mostSteps) {
        wanted.leftOut = true;
        break;
      }
      const read = event.level === 'message' ? readStory(event.text) : undefined;
      const parent = read?.words['parent'];
      if (parent !== undefined) parents.set(id, parent);
      own.push(stepOf(event, read));
    }
  }
  const messages: TracedMessage[] = [];
  for (const [id, own] of steps) {
    const listing = await queue?.get(id);
    const parent = parents.get(id) ?? listing?.message.parent;
    messages.push({ id, ...(parent === undefined ? {} : { parent }), steps: own, waiting: listing?.recipients ?? [] });
  }
  return { messages, refused: wanted.refused, leftOut: wanted.leftOut, queueAsked: queue !== undefined };
}

function stepOf({ at, component, level, text }: LogEvent, read: StoryRead | undefined): TraceStep {
  return { time: new Date(at).toISOString(), component, level, line: text, ...read };
}
