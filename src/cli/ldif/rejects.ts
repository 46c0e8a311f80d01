/**
 * The file of what an import refused: LDIF again, with the reason in front of each record, to be put right and imported.
 *
 * Promise: made when there is something to write, never over another file, readable by its owner alone.
 */

import { accessSync, closeSync, constants, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../../base/index.ts';
import { formatLdifRecord, type LdifBroken, type LdifFault, type LdifRecord } from '../../ldap-wire/index.ts';
import { reasonOf } from './source.ts';

const mostNames = 100_000;

/** Opens `base`, or `base.1`, `base.2` …: the first that does not exist. */
export function openFresh(nameOf: (n: number) => string): { readonly fd: number; readonly path: string } {
  for (let n = 0; n < mostNames; n++) {
    const path = nameOf(n);
    try {
      return { fd: openSync(path, 'wx', 0o600), path };
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST')
        throw new Fault('unavailable', `${path} cannot be made: ${reasonOf(cause)}`, { cause });
    }
  }
  throw new Fault('unavailable', `${nameOf(0)} and ${mostNames - 1} names like it are taken`);
}

export class Rejects {
  readonly #base: string;
  #file: { readonly fd: number; readonly path: string } | undefined;

  /** Fault `unavailable` where no file could be made there: said before anything is imported. */
  constructor(base: string) {
    try {
      accessSync(dirname(base), constants.W_OK);
    } catch (cause) {
      throw new Fault('unavailable', `${base}, for what is refused, cannot be made: ${reasonOf(cause)}; --rejects names another file`, {
        cause,
      });
    }
    this.#base = base;
  }

  /** Where they are, once there are any. */
  get path(): string | undefined {
    return this.#file?.path;
  }

  add(record: LdifRecord | LdifBroken, fault: LdifFault): void {
    this.#file ??= openFresh((n) => (n === 0 ? this.#base : `${this.#base}.${n}`));
    const reason = `# ${fault.say.replace(/[\r\n]+/g, ' ')}\n`;
    // What makes no sense as a record stands there as it was, for somebody to put right.
    const text = record.kind === 'broken' ? `${record.lines.join('\n')}\n\n` : formatLdifRecord(record);
    writeSync(this.#file.fd, reason + text);
  }

  close(): void {
    if (this.#file) closeSync(this.#file.fd);
  }
}
