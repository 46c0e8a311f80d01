/** NOOP: nothing, and so what happened meanwhile is told. */

import { none, whenever } from '../command.ts';
import { ok } from '../session.ts';

export const noop = whenever({ name: 'NOOP', spec: 'RFC 3501 §6.1.2', parse: none, run: () => ok('NOOP completed') });
