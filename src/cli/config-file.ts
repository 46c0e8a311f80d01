/** Which configuration file a command uses: `--config`, else MAILTREE_CONFIG, else the first that exists. */

import { existsSync } from 'node:fs';
import { type Config, readConfig } from '../main/index.ts';

const places = ['config/mailtree.yaml', '/etc/mailtree/mailtree.yaml'];

export function configPath(given: string | undefined): string {
  return given ?? process.env['MAILTREE_CONFIG'] ?? places.find((place) => existsSync(place)) ?? 'config/mailtree.yaml';
}

/** Fault where it cannot be read or is wrong. */
export function loadConfig(given: string | undefined): Config {
  return readConfig(configPath(given));
}
