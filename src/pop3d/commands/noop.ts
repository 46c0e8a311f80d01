/** NOOP: still here. */

import { afterLogin } from '../command.ts';
import { ok } from '../session.ts';

export const noop = afterLogin({ name: 'NOOP', spec: 'RFC 1939 §5', run: () => ok('still here') });
