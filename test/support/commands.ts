/** What commands must say and do, for suites that run them. */

import { expect } from '@jest/globals';
import type { command } from './server.ts';

/** The output of a command that must succeed and complain of nothing. */
export async function good(run: ReturnType<typeof command>): Promise<string> {
  const { code, out, err } = await run;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
}

/** What a command says that must fail, in one line, having done nothing that it tells of. */
export async function bad(run: ReturnType<typeof command>): Promise<string> {
  const { code, out, err } = await run;
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err.trimEnd().split('\n')).toHaveLength(1);
  return err.trimEnd();
}
