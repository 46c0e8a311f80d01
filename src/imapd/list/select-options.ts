/** LIST's options as they are read. Spec: RFC 5258 §3, RFC 5819, RFC 6154 */

import type { Cursor } from '../wire/cursor.ts';
import { readStatusItems, type StatusItem } from './status-items.ts';

export interface ListArguments {
  readonly subscribed: boolean;
  readonly recursive: boolean;
  readonly special: boolean;
  readonly patterns: readonly string[];
  /** No option was given and one pattern: RFC 3501's LIST. */
  readonly basic: boolean;
  readonly returnSubscribed: boolean;
  readonly status: readonly StatusItem[];
}

const mostPatterns = 32;
/** Characters of all patterns, the reference repeated for each. */
const longestPatterns = 4000;
const mostOptions = 10;
const selections = ['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'];

export function readListArguments(args: Cursor): ListArguments {
  let selection: string[] = [];
  const extended = args.peek() === '(';
  if (extended) {
    selection = args.list(mostOptions, () => args.name('a selection option'), true);
    if (selection.some((option) => !selections.includes(option))) args.fail('a selection option');
    if (selection.includes('RECURSIVEMATCH') && !selection.includes('SUBSCRIBED')) args.fail('SUBSCRIBED with RECURSIVEMATCH');
    args.space();
  }
  const reference = args.listMailbox();
  args.space();
  const several = args.peek() === '(';
  const patterns = several ? args.list(mostPatterns, () => args.listMailbox()) : [args.listMailbox()];
  if (patterns.reduce((sum, pattern) => sum + reference.length + pattern.length, 0) > longestPatterns) args.fail('shorter patterns');
  const returns = args.take(' ') ? readReturn(args) : { options: [], status: [] };
  return {
    subscribed: selection.includes('SUBSCRIBED'),
    recursive: selection.includes('RECURSIVEMATCH'),
    special: selection.includes('SPECIAL-USE'),
    // An empty pattern asks for the separator and the root, whatever the reference (RFC 3501 §6.3.8).
    patterns: patterns.map((pattern) => (pattern === '' ? '' : reference + pattern)),
    basic: !extended && !several,
    returnSubscribed: returns.options.includes('SUBSCRIBED'),
    status: returns.status,
  };
}

function readReturn(args: Cursor): { options: string[]; status: StatusItem[] } {
  if (args.keyword() !== 'RETURN') args.fail('RETURN');
  args.space();
  let status: StatusItem[] = [];
  const options = args.list(
    mostOptions,
    () => {
      const option = args.name('a return option');
      if (option === 'STATUS') {
        args.space();
        status = readStatusItems(args);
      } else if (!['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE'].includes(option)) args.fail('a return option');
      return option;
    },
    true,
  );
  return { options, status };
}
