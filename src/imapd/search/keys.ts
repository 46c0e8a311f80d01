/**
 * SEARCH's keys: from arguments to a tree.
 *
 * Depth and number of keys have a bound. Strings are decoded by the command's charset and folded, ready to be compared.
 * Spec: RFC 3501 §6.4.4, RFC 5032 (OLDER, YOUNGER), RFC 7162 §3.1.5 (MODSEQ)
 */

import { Fault } from '../../base/index.ts';
import type { Cursor } from '../wire/cursor.ts';
import type { SequenceSet } from '../wire/sequence-set.ts';
import { fold } from './text.ts';

export type AddressField = 'from' | 'to' | 'cc' | 'bcc';
export type DayRelation = 'before' | 'on' | 'since';

export type SearchKey =
  | { readonly kind: 'all' }
  | { readonly kind: 'and'; readonly keys: readonly SearchKey[] }
  | { readonly kind: 'or'; readonly left: SearchKey; readonly right: SearchKey }
  | { readonly kind: 'not'; readonly key: SearchKey }
  | { readonly kind: 'flag'; readonly flag: string }
  | { readonly kind: 'recent' }
  | { readonly kind: 'set'; readonly set: SequenceSet; readonly uid: boolean }
  | { readonly kind: 'larger' | 'smaller'; readonly octets: number }
  /** `day` is midnight UTC in milliseconds. */
  | { readonly kind: 'internal' | 'sent'; readonly relation: DayRelation; readonly day: number }
  | { readonly kind: 'older' | 'younger'; readonly seconds: number }
  | { readonly kind: 'mod-seq'; readonly least: number }
  | { readonly kind: 'address'; readonly field: AddressField; readonly text: string }
  | { readonly kind: 'subject' | 'body' | 'text'; readonly text: string }
  | { readonly kind: 'header'; readonly name: string; readonly text: string };

const deepest = 50;
const mostKeys = 1000;

const flagKeys: Readonly<Record<string, SearchKey>> = {
  ALL: { kind: 'all' },
  ...Object.fromEntries(
    ['Answered', 'Deleted', 'Draft', 'Flagged', 'Seen'].flatMap((name): [string, SearchKey][] => {
      const key: SearchKey = { kind: 'flag', flag: `\\${name}` };
      return [
        [name.toUpperCase(), key],
        [`UN${name.toUpperCase()}`, { kind: 'not', key }],
      ];
    }),
  ),
  RECENT: { kind: 'recent' },
  OLD: { kind: 'not', key: { kind: 'recent' } },
  NEW: {
    kind: 'and',
    keys: [{ kind: 'recent' }, { kind: 'not', key: { kind: 'flag', flag: '\\Seen' } }],
  },
};

/** Reads keys up to the end of the command; `decode` turns octets into text. */
export function readKeys(args: Cursor, decode: (octets: string) => string): SearchKey {
  return new KeyReader(args, decode).program();
}

/** What has to read the message's text comes last. */
function conjunction(keys: readonly SearchKey[]): SearchKey {
  const cost = (key: SearchKey): number => (key.kind === 'body' || key.kind === 'text' ? 2 : key.kind === 'header' ? 1 : 0);
  return keys.length === 1 ? keys[0]! : { kind: 'and', keys: keys.toSorted((a, b) => cost(a) - cost(b)) };
}

class KeyReader {
  readonly #args: Cursor;
  readonly #decode: (octets: string) => string;
  #count = 0;

  constructor(args: Cursor, decode: (octets: string) => string) {
    this.#args = args;
    this.#decode = decode;
  }

  program(): SearchKey {
    const keys = [this.#key(0)];
    while (this.#args.take(' ')) keys.push(this.#key(0));
    return conjunction(keys);
  }

  #key(depth: number): SearchKey {
    this.#count += 1;
    if (depth > deepest) throw new Fault('malformed', 'search keys nested too deep');
    if (this.#count > mostKeys) throw new Fault('malformed', 'too many search keys');
    const args = this.#args;
    if (args.peek() === '(') return conjunction(args.list(mostKeys, () => this.#key(depth + 1)));
    if (/[0-9*$]/.test(args.peek())) return { kind: 'set', set: args.sequenceSet(), uid: false };
    const name = args.name('a search key');
    const fixed = flagKeys[name];
    return fixed ?? this.#withArgument(name, depth);
  }

  #withArgument(name: string, depth: number): SearchKey {
    const args = this.#args;
    args.space();
    switch (name) {
      case 'NOT':
        return { kind: 'not', key: this.#key(depth + 1) };
      case 'OR': {
        const left = this.#key(depth + 1);
        args.space();
        return { kind: 'or', left, right: this.#key(depth + 1) };
      }
      case 'UID':
        return { kind: 'set', set: args.sequenceSet(), uid: true };
      case 'KEYWORD':
        return { kind: 'flag', flag: args.flag() };
      case 'UNKEYWORD':
        return { kind: 'not', key: { kind: 'flag', flag: args.flag() } };
      case 'LARGER':
      case 'SMALLER':
        return { kind: name === 'LARGER' ? 'larger' : 'smaller', octets: args.number64('a size') };
      case 'OLDER':
      case 'YOUNGER':
        return { kind: name === 'OLDER' ? 'older' : 'younger', seconds: this.#interval() };
      case 'MODSEQ':
        return { kind: 'mod-seq', least: this.#modSeq() };
      default:
        return this.#dateOrText(name);
    }
  }

  #dateOrText(name: string): SearchKey {
    const args = this.#args;
    const day = /^(SENT)?(BEFORE|ON|SINCE)$/.exec(name);
    if (day) return { kind: day[1] ? 'sent' : 'internal', relation: day[2]!.toLowerCase() as DayRelation, day: args.date() };
    switch (name) {
      case 'FROM':
      case 'TO':
      case 'CC':
      case 'BCC':
        return { kind: 'address', field: name.toLowerCase() as AddressField, text: this.#text() };
      case 'SUBJECT':
      case 'BODY':
      case 'TEXT':
        return { kind: name.toLowerCase() as 'subject' | 'body' | 'text', text: this.#text() };
      case 'HEADER': {
        const field = args.astring('a field name').toLowerCase();
        args.space();
        return { kind: 'header', name: field, text: this.#text() };
      }
      default:
        return args.fail('a search key');
    }
  }

  #text(): string {
    return fold(this.#decode(this.#args.astring('text to look for')));
  }

  #interval(): number {
    const seconds = this.#args.number('a number of seconds');
    return seconds === 0 ? this.#args.fail('seconds above zero') : seconds;
  }

  /** `[entry-name SP entry-type SP] mod-sequence`; flags share one mod-sequence, so the entry changes nothing. */
  #modSeq(): number {
    const args = this.#args;
    if (args.peek() === '"') {
      args.string();
      args.space();
      args.keyword('PRIV, SHARED or ALL');
      args.space();
    }
    return args.number64('a mod-sequence');
  }
}
