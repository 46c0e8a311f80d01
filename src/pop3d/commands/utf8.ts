/** UTF8: names and passwords are read as UTF-8 and messages given as they are with or without it, so there is nothing to switch. */

import { beforeLogin } from '../command.ts';
import { ok } from '../session.ts';

export const utf8 = beforeLogin({
  name: 'UTF8',
  spec: 'RFC 6856 §2.1',
  run: () => ok('UTF-8 it is'),
});
