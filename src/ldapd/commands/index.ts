/** All operations that are answered. Unbind and abandon are not: the session sees to them itself. */

import type { ControlKind } from '../controls/control.ts';
import { bind } from './bind.ts';
import { extended } from './extended.ts';
import { search } from './search.ts';
import { add, compare, modify, remove, rename } from './update.ts';

export const commands = { bind, search, compare, add, modify, rename, delete: remove, extended } as const;

/** Every control that some operation knows. */
export const knownControls: readonly ControlKind<unknown>[] = [
  ...new Set(Object.values<{ readonly controls?: readonly ControlKind<unknown>[] }>(commands).flatMap((command) => command.controls ?? [])),
];
