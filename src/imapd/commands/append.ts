/**
 * APPEND: puts messages into a mailbox, octets as they come straight into blobs, structure on the way.
 *
 * Promise: a message is refused before it is sent where that can be known (no such mailbox, too large); several are appended all
 * or none; what was written for a command that fails is let go. Octets are kept exactly, line ends and NULs included.
 * Spec: RFC 3501 §6.3.11, RFC 3502 (MULTIAPPEND), RFC 4315 §3 (APPENDUID), RFC 7889, RFC 4469 §7 (TOOBIG)
 */

import { Fault } from '../../base/index.ts';
import { MessageIndexer } from '../../mail/index.ts';
import type { BlobWriter } from '../../storage/index.ts';
import type { NewStoredMessage } from '../../store/index.ts';
import { type Command, loggedInStates, type StreamingRun } from '../command.ts';
import { canonicalFlags, readFlagList } from '../mailbox/flags.ts';
import { Refusal } from '../refusal.ts';
import { type Account, ok, type Session, type SessionState } from '../session.ts';
import type { LiteralSink } from '../wire/command-reader.ts';
import { Cursor } from '../wire/cursor.ts';

const mostMessages = 100;

interface Announced {
  readonly flags: readonly string[];
  readonly date: number | undefined;
}

/** `mailbox SP [flags SP] [date-time SP] literal …` */
function readArguments(args: Cursor): { mailbox: string; messages: Announced[] } {
  args.space();
  const mailbox = args.mailbox();
  const messages: Announced[] = [];
  do {
    args.space();
    if (messages.length >= mostMessages) args.fail('fewer messages in one command');
    const flags = args.peek() === '(' ? readFlagList(args) : undefined;
    if (flags) args.space();
    const date = args.peek() === '"' ? args.dateTime() : undefined;
    if (date !== undefined) args.space();
    args.literal('a literal with the message');
    messages.push({ flags: canonicalFlags(flags ?? []), date });
  } while (!args.done);
  return { mailbox, messages };
}

export const append: Command = {
  name: 'APPEND',
  spec: 'RFC 3501 §6.3.11, RFC 3502, RFC 4315 §3',
  states: loggedInStates,
  expunge: true,
  // Without a literal there is no message: only the error is left to be told.
  parse: (args) => {
    readArguments(args);
    return args.fail('a literal with the message');
  },
  stream: (session, state) => new Appending(session, state),
};

class Appending implements StreamingRun {
  readonly #session: Session;
  readonly #account: Account;
  readonly #state: SessionState;
  readonly #writers: BlobWriter[] = [];
  readonly #messages: Pick<NewStoredMessage, 'blob' | 'structure'>[] = [];
  #checked = false;

  constructor(session: Session, state: SessionState) {
    if (state.name !== 'authenticated' && state.name !== 'selected') throw new Fault('wrong-moment', 'log in first');
    this.#session = session;
    this.#state = state;
    this.#account = state.account;
  }

  async announce(before: readonly (string | Uint8Array)[], size: number): Promise<LiteralSink | undefined> {
    // The mailbox's name comes as a literal.
    if (before.length === 1 && before[0] === ' ') return undefined;
    const { mailbox } = readArguments(new Cursor([...before, new Uint8Array(0), '']));
    if (size === 0) throw new Fault('refused', 'a message cannot be empty');
    if (size > this.#session.settings.value.appendLimit) throw new Refusal('too-large', 'TOOBIG', 'message too large');
    if (!this.#checked) await this.#checkMailbox(mailbox);
    return this.#receive(mailbox);
  }

  async #checkMailbox(mailbox: string): Promise<void> {
    const info = await this.#session.store.mailbox(this.#account.id, mailbox);
    if (!info) throw new Refusal('not-found', 'TRYCREATE', 'no such mailbox');
    if (!info.selectable) throw new Fault('refused', 'this name only holds other mailboxes');
    this.#checked = true;
  }

  #receive(mailbox: string): LiteralSink {
    const writer = this.#session.blobs.create();
    const indexer = new MessageIndexer();
    this.#writers.push(writer);
    return {
      write: async (chunk) => {
        indexer.push(chunk);
        await writer.write(chunk);
      },
      end: async () => {
        const structure = indexer.end();
        const blob = await writer.commit({ account: this.#account.id, mailbox, door: 'imap', receivedAt: this.#session.clock.now() });
        this.#messages.push({ blob, structure });
      },
    };
  }

  async finish(args: Cursor) {
    const { mailbox, messages } = readArguments(args);
    if (messages.length !== this.#messages.length) throw new Fault('malformed', 'expected a literal with the message');
    const now = this.#session.clock.now();
    const complete = this.#messages.map((received, n) => {
      const { flags, date } = messages[n]!;
      return { ...received, prefix: '', flags, internalDate: date ?? now };
    });
    const { uidValidity, uids } = await this.#session.store.append(this.#account.id, mailbox, complete);
    if (this.#state.name === 'selected') this.#state.mailbox.touch();
    return ok('APPEND completed', { code: `APPENDUID ${uidValidity} ${uids.join(',')}` });
  }

  async release(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.abort()));
  }
}
