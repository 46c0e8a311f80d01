/** ID: the client says what it is, and so do we: the product's name, without a version that would help an attacker. */

import { whenever } from '../command.ts';
import { ok } from '../session.ts';
import type { Cursor } from '../wire/cursor.ts';

const mostFields = 30;

function parameters(args: Cursor): (string | null)[] {
  if (args.peek() !== '(') {
    if (args.keyword('NIL or a list') !== 'NIL') args.fail('NIL or a list');
    return [];
  }
  return args.list(2 * mostFields, () => args.nstring(), true);
}

export const id = whenever({
  name: 'ID',
  spec: 'RFC 2971 §3.1',
  parse: parameters,
  run(session) {
    session.out.text('* ID ("name" "Mailtree")\r\n');
    return ok('ID completed');
  },
});
