/** The modules of the preprocessor as they are shown. Source: manual chapter 3, "Module Lists"; checklist MTA-11 */

import type { Module, ModuleInfo } from '../preprocessor/index.ts';

export interface ModuleListed extends ModuleInfo {
  /** Marked cells of its Channel Action Matrix. */
  readonly matrix: readonly string[];
}

/** In the order in which they run; entries with their full names. */
export function listModules(modules: readonly Module[], systemBase: string): ModuleListed[] {
  return modules.map(({ name, file, version, description, entry, matrixAttribute, matrix }) => ({
    ...{ name, file, version, description, matrixAttribute },
    entry: `${entry},${systemBase}`,
    matrix: matrix.value,
  }));
}
