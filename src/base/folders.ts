/**
 * Folders with those above them.
 *
 * Promise: ends. The system library's own way (`recursive`) tries for ever where a file system answers "no such file" to making one, as /proc does.
 */

import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes a folder (mode 0700) and what is missing above it. The system's error where that cannot be. */
export function makeFolders(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (thrown) {
    if (isFolder(path)) return;
    const above = dirname(path);
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT' || isFolder(above) || above === path) throw thrown;
    makeFolders(above);
    makeFolders(path);
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
