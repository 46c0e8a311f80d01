/** What a hashing worker runs. One file, one task. */

import { checkPassword, deriveVerifier } from './hash.ts';

export type HashTask =
  | { readonly task: 'check'; readonly password: string; readonly stored: readonly string[] }
  | { readonly task: 'derive'; readonly password: string; readonly iterations: number };

/** For `check` the place of the stored form that fits, or -1; for `derive` the verifier. Every form costs its work. */
export default async function run(task: HashTask): Promise<number | string> {
  if (task.task === 'derive') return deriveVerifier(task.password, task.iterations);
  let found = -1;
  for (const [n, stored] of task.stored.entries()) {
    if ((await checkPassword(task.password, stored)) && found < 0) found = n;
  }
  return found;
}
