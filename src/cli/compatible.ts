/** What the manual's own commands (`iemsuser`, `iemsdomacct`) have in common: one of `-C`, `-D`, `-L`, and options that go with some of them. */

import { Fault } from '../base/index.ts';

export type Action = 'C' | 'D' | 'L';

export type ActionFlags = { readonly [flag in Action]?: boolean };

/** Fault `malformed` where none, or more than one, was given. */
export function actionOf(options: ActionFlags): Action {
  const given = (['C', 'D', 'L'] as const).filter((flag) => options[flag]);
  if (given.length !== 1 || !given[0]) throw new Fault('malformed', 'give one of -C (create), -D (delete), -L (list)');
  return given[0];
}

/** The option's value; Fault `malformed` names the option that is missing. */
export function need(value: string | undefined, flag: string, what: string, action: Action): string {
  if (value === undefined || value === '') throw new Fault('malformed', `-${action} needs -${flag}: ${what}`);
  return value;
}

/** Refuses options that mean nothing for this action. */
export function forbid(options: object, action: Action, flags: readonly string[]): void {
  const wrong = flags.find((flag) => (options as Record<string, unknown>)[flag] !== undefined);
  if (wrong !== undefined) throw new Fault('malformed', `-${wrong} does not go with -${action}`);
}

/** Says that a value was written down and has no effect on this server. */
export function notHere(flag: string, attribute: string, why: string): void {
  console.error(`${flag}: noted in ${attribute} and not used by this server: ${why}`);
}
