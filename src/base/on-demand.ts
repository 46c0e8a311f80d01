/**
 * Packages that are loaded at their first use: most commands ask a running server, and would pay for what they never call.
 *
 * For packages that `require` can load. Where a function is asynchronous anyway, `await import(…)` does the same.
 */

import { createRequire } from 'node:module';

/** A function that gives the package; `from` is the caller's `import.meta.url`. */
export function onDemand<T>(name: string, from: string): () => T {
  let loaded: T | undefined;
  return () => {
    loaded ??= createRequire(from)(name) as T;
    return loaded;
  };
}
