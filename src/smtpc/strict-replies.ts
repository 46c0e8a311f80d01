/**
 * What a peer says is believed only where it is a reply, and the one to what we said.
 *
 * Promise: replies that come early, or more of them than were asked for, never count for what is said later: mail is not taken for
 * handed over because of a reply that was there before its end. Lines that are no replies end the session, and none of them keeps it alive.
 * Extensions are those of the lines of EHLO alone. The library is more trusting; this is put around its steps.
 * Spec: RFC 5321 §4.2, §4.2.1 (form of a reply), §4.3.1 (one reply for each command), §4.1.1.1, §4.1.1.4 (354); RFC 1870
 */

import type { Readable } from 'node:stream';

type Action = (text: string) => void;

/** The inner parts of the library that are used here. */
export interface ReplyParts {
  _processResponse(): void;
  _actionDATA(text: string, done: unknown): void;
  _actionSTARTTLS: Action;
  _createSendStream(done: unknown): Readable;
  _parseEhloExtensions(text: string): void;
  _onError(error: Error, type: string, data: unknown, command: string): void;
  close: Action;
  readonly _responseActions: Action[];
  readonly _responseQueue: string[];
  readonly _responsePartial: boolean;
  _supportedExtensions: string[];
  _maxAllowedSize: number;
  readonly _ehloLines?: readonly string[];
}

export interface Listener {
  readonly host: string;
  /** A reply that was waited for is there. */
  heard(): void;
  /** The peer had enough of the message before it had all of it: its reply counts, but what goes on over this connection is data. */
  outOfStep(): void;
}

/** A few of them come from servers that mean no harm. */
const blankLinesAtMost = 20;
const shownAtMost = 100;

export function beStrict(inner: ReplyParts, { host, heard, outOfStep }: Listener): void {
  const { _processResponse: process, _actionDATA: data, _createSendStream: createSendStream, _parseEhloExtensions: parse } = inner;
  let blank = 0;
  /** The action that the reply to the whole message is for, and the stream that message is. */
  let end: { readonly action: Action | undefined; readonly stream: Readable } | undefined;
  const wrong = (what: string, text: string): void =>
    inner._onError(new Error(`${host} ${what}: ${text.slice(0, shownAtMost)}`), 'EPROTOCOL', false, 'CONN');

  inner._createSendStream = (done) => {
    const stream = createSendStream.call(inner, done);
    end = { action: inner._responseActions.at(-1), stream };
    return stream;
  };

  inner._processResponse = () => {
    const { _responseQueue: replies, _responseActions: actions } = inner;
    while (replies[0]?.trim() === '' && blank < blankLinesAtMost) {
      replies.shift();
      blank += 1;
    }
    const [reply] = replies;
    if (reply === undefined || (inner._responsePartial && replies.length === 1)) return;
    const atEnd = end !== undefined && actions[0] === end.action;
    const tooMany = replies.length > actions.length && actions.length > 0 && !spareAllowed(actions[0], inner);
    if (!isReply(reply)) wrong('says what is no reply', reply);
    else if (tooMany && !atEnd && !replies[1]?.startsWith('421')) wrong('answers what it was not asked', replies[1] ?? '');
    else if (atEnd && end && !handedOver(end.stream)) {
      if (/^[45]/.test(reply)) {
        outOfStep();
        process.call(inner);
      } else wrong('answers before it has the whole message', reply);
    } else {
      if (actions.length > 0) heard();
      process.call(inner);
    }
  };

  inner._actionDATA = (text, done) => {
    // A peer that is out of step says 250 here to something else; the message is not begun on that.
    if (text.startsWith('2')) wrong('answers DATA with', text);
    else data.call(inner, text, done);
  };

  inner._parseEhloExtensions = (text) => {
    parse.call(inner, text);
    // The library looks for the words wherever they stand, in the greeting of the first line, too.
    const keywords = (inner._ehloLines ?? []).map((line) => line.split(' ') as [string, ...string[]]);
    const offered = new Set(keywords.map(([keyword]) => keyword.toUpperCase()));
    inner._supportedExtensions = [...new Set(inner._supportedExtensions)].filter((one) => offered.has(one));
    const size = keywords.find(([keyword]) => keyword.toUpperCase() === 'SIZE')?.[1];
    // RFC 1870 §4: 0, or none, is no limit.
    inner._maxAllowedSize = size !== undefined && /^\d{1,20}$/.test(size) ? Number(size) : 0;
  };
}

/** All of the message is in the socket's hands. */
function handedOver(stream: Readable): boolean {
  return (
    (stream as Readable & { readonly _readableState: { readonly ended: boolean } })._readableState.ended && stream.readableLength === 0
  );
}

/** What follows these is thrown away by the library: plain text in front of a handshake, and whatever comes after the good-bye. */
function spareAllowed(action: Action | undefined, inner: ReplyParts): boolean {
  return action === inner._actionSTARTTLS || action === inner.close;
}

/** Three digits a line, of one kind. Codes of one kind are sometimes mixed; a yes and a no in one reply are none. */
function isReply(text: string): boolean {
  const [first = ''] = text;
  return first >= '2' && first <= '5' && text.split('\n').every((line) => line[0] === first && /^\d{3}(?![^ -])/.test(line));
}
