/** Third-party messages, from $MAILTREE_TEST_DATA, in the forms they are sent in. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(process.env.MAILTREE_TEST_DATA ?? '../shared/data');

export interface Sample {
  /** Folder and file, for a failed test's message. */
  readonly name: string;
  /** As the file has it. */
  readonly raw: Buffer;
  /** Every line ended by CR LF, as a sender must. */
  readonly canonical: Buffer;
}

function isMessage(folder: string, file: string): boolean {
  if (folder === 'spamassassin-sample') return true;
  if (folder === 'mime-cpython') return /^msg_\d+\.txt$/.test(file);
  if (folder === 'mime-stalwart-rfc') return file.endsWith('.eml');
  if (folder === 'mime-mimetools') return file.endsWith('.msg');
  return file.endsWith('.eml') || file.endsWith('.txt');
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir)
    .sort()
    .flatMap((name) => {
      const path = join(dir, name);
      return statSync(path).isDirectory() ? filesBelow(path) : [path];
    });
}

/** CR LF, CR and LF are each one line end; the last line is ended, too. Nothing else changes. */
export function canonical(raw: Buffer): Buffer {
  const text = raw.toString('latin1');
  const lines = (text.endsWith('\r\n') ? text : `${text}\r\n`).replace(/\r\n|\r|\n/g, '\r\n');
  return Buffer.from(lines, 'latin1');
}

/** As a door for mail keeps it: what does not begin with a header has an empty line before it (docs/smtp-line-ends.md). */
export function kept({ canonical: octets }: Sample): Buffer {
  const begun = /^(?:[!-9;-~]+[ \t]*:|\r|>?From |\xef\xbb\xbf)/.test(octets.toString('latin1', 0, 998));
  return begun ? octets : Buffer.concat([Buffer.from('\r\n'), octets]);
}

export function sample(name: string, raw: Buffer): Sample {
  return { name, raw, canonical: canonical(raw) };
}

/** All messages of the folders whose names begin so. */
export function corpus(...folders: readonly string[]): Sample[] {
  const found = readdirSync(root)
    .filter((folder) => folders.some((wanted) => folder.startsWith(wanted)))
    .sort()
    .flatMap((folder) =>
      filesBelow(join(root, folder))
        .filter((path) => isMessage(folder, path.split('/').at(-1) ?? ''))
        .map((path) => sample(path.slice(root.length + 1), readFileSync(path))),
    );
  if (found.length < 10) throw new Error(`no test data in ${root} (set MAILTREE_TEST_DATA)`);
  return found;
}

/** Below the trace headers this server puts on top: Return-Path, Delivered-To and one Received of ours. */
export function belowTrace(got: Buffer): Buffer {
  const trace = /^Return-Path: <[^\r\n]*>\r\nDelivered-To: [^\r\n]+\r\nReceived: from (?:[^\r\n]*\r\n[ \t])*[^\r\n]*\r\n/.exec(
    got.toString('latin1'),
  );
  if (!trace) throw new Error(`no trace headers: ${JSON.stringify(got.toString('latin1', 0, 200))}`);
  return got.subarray(trace[0].length);
}

/** The number n that the sender's address `sample-n@…` carries, so that a message is known whatever it says itself. */
export function numberOf(got: Buffer): number {
  const found = /^Return-Path: <sample-(\d+)@/.exec(got.toString('latin1', 0, 200));
  if (!found) throw new Error(`not one of the samples: ${JSON.stringify(got.toString('latin1', 0, 200))}`);
  return Number(found[1]);
}
