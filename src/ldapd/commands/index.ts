/** All operations that are answered. Unbind and abandon are not: the session sees to them itself. */

import { bind } from './bind.ts';
import { extended } from './extended.ts';
import { search } from './search.ts';
import { add, compare, modify, remove, rename } from './update.ts';

export const commands = { bind, search, compare, add, modify, rename, delete: remove, extended } as const;

/** OIDs for `supportedControl` of the root DSE. */
export const knownControls: readonly string[] = [...new Set(Object.values(commands).flatMap((command) => command.controls ?? []))];
