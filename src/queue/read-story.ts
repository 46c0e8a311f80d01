/**
 * Reads back the lines that story.ts writes, and those of the SMTP door's refusals.
 *
 * Promise: only the words that we wrote count: what a stranger said stands behind them or is escaped in them.
 */

import { fromStoryWord, type Step, steps } from './story.ts';

export interface StoryRead {
  readonly step: Step;
  /** Missing where a door refused before there was a message. */
  readonly id?: string;
  readonly size?: number;
  readonly sender?: string;
  readonly recipients: readonly string[];
  readonly routes: readonly { readonly original: string; readonly queue: string; readonly identifier: string; readonly address: string }[];
  /** `channel`, `client`, `msgid`, `parent` … */
  readonly words: Readonly<Record<string, string>>;
  readonly text?: string;
}

const head = new RegExp(
  `^(${steps.join('|')})(?: ([0-9a-z]{4,40}) size: (\\d{1,15}) bytes)?(?: from: <([^ <>]*)>)?(?: to ([^ ]+?))?((?: [a-z]+=[^ ]*?)*)(?:: (.*))?$`,
);

/** Undefined for a line of another kind. `text` is a message line without date and component. */
export function readStory(text: string): StoryRead | undefined {
  const found = head.exec(text);
  if (!found) return undefined;
  const [, step, id, size, sender, to, rest = '', said] = found;
  const words: Record<string, string> = {};
  const routes: StoryRead['routes'][number][] = [];
  for (const word of rest.split(' ')) {
    const equals = word.indexOf('=');
    if (equals < 0) continue;
    const name = word.slice(0, equals);
    const value = word.slice(equals + 1);
    if (name !== 'route') words[name] = fromStoryWord(name === 'msgid' ? value.replace(/^<|>$/g, '') : value);
    else routes.push(readRoute(value));
  }
  return {
    step: step as Step,
    ...(id === undefined ? {} : { id, size: Number(size) }),
    ...(sender === undefined ? {} : { sender: fromStoryWord(sender) }),
    recipients: to === undefined ? [] : to.split(',').map(fromStoryWord),
    routes,
    words,
    ...(said === undefined ? {} : { text: said }),
  };
}

function readRoute(text: string): StoryRead['routes'][number] {
  const [from = '', place = '', to] = text.split('>');
  const colon = place.indexOf(':');
  const original = fromStoryWord(from);
  return {
    original,
    queue: colon < 0 ? place : place.slice(0, colon),
    identifier: colon < 0 ? '' : fromStoryWord(place.slice(colon + 1)),
    address: to === undefined ? original : fromStoryWord(to),
  };
}
