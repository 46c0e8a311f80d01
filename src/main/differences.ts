/**
 * Where the configuration file and the directory say different things: the file seeds the directory at the first start, and
 * afterwards the directory counts (docs/decisions/0004-settings.md).
 */

import { type Config, type DoorName, doorNames, formatWhere, parseWhere } from './config.ts';
import { listenAttribute } from './first-start.ts';

/** What the directory says, as it stands there. */
export type Established = Readonly<Record<DoorName | 'host' | 'domain', string>>;

/** One line for each difference, with what counts. What the file leaves out stands for its default. */
export function differences(config: Config, directory: Established): string[] {
  const lines: string[] = [];
  const compare = (key: string, attribute: string, file: string, counts: string): void => {
    if (file.toLowerCase() !== counts.toLowerCase())
      lines.push(`${config.file} has ${key}: ${file}, the directory has ${attribute}: ${counts}; the directory counts`);
  };
  compare('host', 'mtHostName', config.host, directory.host);
  compare('domain', 'mtLocalDomain', config.domain, directory.domain);
  for (const door of doorNames) {
    const there = parseWhere(directory[door]);
    compare(`listen.${door}`, listenAttribute(door), formatWhere(config.listen[door]), there ? formatWhere(there) : directory[door]);
  }
  return lines;
}
