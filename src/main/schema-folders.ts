/** Where schema files are: this installation's, then the administrator's own. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.ts';

/** In the order of loading. A folder that the configuration names must exist; `schema` in the data directory need not. */
export function schemaFolders(config: Pick<Config, 'data' | 'schema'>): string[] {
  const own = fileURLToPath(new URL('../../schema/', import.meta.url));
  const usual = join(config.data, 'schema');
  return [own, ...(config.schema !== undefined ? [config.schema] : existsSync(usual) ? [usual] : [])];
}
