/** CHECK: a checkpoint. Everything is durable when it is answered, so there is nothing left to do. */

import { none, selected } from '../command.ts';
import { ok } from '../session.ts';

export const check = selected({ name: 'CHECK', spec: 'RFC 3501 §6.4.1', parse: none, run: () => ok('CHECK completed') });
