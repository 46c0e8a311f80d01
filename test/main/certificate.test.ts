/** The certificate of the server: made, replaced, renewed, unusable. */

import { X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { type Log, ManualClock, silentLog } from '../../src/base/index.ts';
import { type Certificate, openCertificate } from '../../src/main/certificate.ts';
import { tempDir } from '../support/temp.ts';

const day = 86_400_000;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Opened {
  readonly certificate: Certificate;
  readonly clock: ManualClock;
  readonly cert: string;
  readonly key: string;
  readonly lines: string[];
}

async function open(clock = new ManualClock(), folder?: string): Promise<Opened> {
  let data = folder;
  if (data === undefined) {
    const made = await tempDir();
    ends.push(made.remove);
    data = made.path;
  }
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (line) => lines.push(`error ${line}`), warning: (line) => lines.push(`warning ${line}`) };
  const certificate = await openCertificate({ data, host: 'mail.example.test', clock, log });
  ends.push(() => certificate.close());
  return { certificate, clock, cert: join(data, 'tls', 'cert.pem'), key: join(data, 'tls', 'key.pem'), lines };
}

const inUse = ({ certificate }: Opened): X509Certificate => new X509Certificate(String(certificate.context.value?.cert));

async function until(one: Opened, what: () => boolean): Promise<void> {
  while (!what()) {
    one.clock.advance(2_000);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test('a self-signed one is made anew two weeks before its end, and one that was made by a wrong clock at once', async () => {
  const made = await open(new ManualClock(0));
  const folder = join(made.cert, '..', '..');
  const first = inUse(made).fingerprint256;
  const key = readFileSync(made.key, 'utf8');
  expect(Date.parse(inUse(made).validTo)).toBeLessThan(Date.UTC(1971, 1, 1));
  made.certificate.close();
  const young = await open(new ManualClock(340 * day), folder);
  young.clock.advance(60_000);
  expect(inUse(young).fingerprint256).toBe(first);
  young.certificate.close();
  const old = await open(new ManualClock(352 * day), folder);
  await until(old, () => inUse(old).fingerprint256 !== first);
  expect(old.lines).toEqual([expect.stringMatching(/^warning the self-signed certificate in .* there is a new one$/)]);
  expect(Date.parse(inUse(old).validTo)).toBeGreaterThan(old.clock.now() + 300 * day);
  // Whoever has published its hash need not do so again.
  expect(readFileSync(made.key, 'utf8')).toBe(key);
  old.certificate.close();
  // The clock was wrong until now.
  const now = await open(new ManualClock(), folder);
  await until(now, () => Date.parse(inUse(now).validTo) > Date.UTC(2030, 0, 2));
}, 60_000);

test("an administrator's own is never written over, and its end is told", async () => {
  const made = await open();
  const other = await open();
  for (const file of ['cert', 'key'] as const) copyFileSync(made[file], other[file]);
  await until(other, () => inUse(other).fingerprint256 === inUse(made).fingerprint256);
  const own = readFileSync(other.cert, 'utf8');
  const later = await open(new ManualClock(other.clock.now() + 400 * day), join(other.cert, '..', '..'));
  expect(later.lines).toEqual([expect.stringMatching(/^warning the certificate .* is over since .*: renew it/)]);
  later.clock.advance(600_000);
  expect(readFileSync(other.cert, 'utf8')).toBe(own);
}, 60_000);

test('one that cannot be used leaves the last one, or none, until it can', async () => {
  const one = await open();
  const good = readFileSync(one.cert, 'utf8');
  writeFileSync(one.cert, 'x');
  one.clock.advance(60_000);
  expect(one.lines).toEqual([expect.stringMatching(/^error .* the last one stays$/)]);
  expect(inUse(one).subject).toBe('CN=mail.example.test');
  const again = await open(one.clock, join(one.cert, '..', '..'));
  expect(again.certificate.context.value).toBeUndefined();
  expect(again.lines).toEqual([expect.stringMatching(/^error .* there is no TLS until it can/)]);
  writeFileSync(one.cert, good);
  again.clock.advance(2_000);
  expect(inUse(again).subject).toBe('CN=mail.example.test');
  rmSync(one.key);
  again.clock.advance(600_000);
  expect(again.lines).toHaveLength(2);
  expect(readFileSync(one.cert, 'utf8')).toBe(good);
}, 60_000);
