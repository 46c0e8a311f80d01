/** Policies of MTA-STS: fetched once, kept across restarts, renewed, and never lost to somebody who can only get in the way. */

import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { LiveValue, ManualClock, type Resolver, silentLog } from '../../src/base/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { type SmtpcSettings, smtpcSettings } from '../../src/smtpc/index.ts';
import { Sts } from '../../src/smtpc/tls/sts.ts';
import { createTrust } from '../../src/smtpc/tls/trust.ts';
import { type LevelKeyValue, openKeyValue } from '../../src/storage/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { type PolicyHost, startPolicyHost } from '../support/policy-host.ts';
import { tempDir } from '../support/temp.ts';
import { tableResolver, type Zone } from './helpers.ts';

const root = makeAuthority('Test Root');
const good = root.issue({ names: ['mta-sts.dest.example'] });
const day = 86_400_000;
let dir: Awaited<ReturnType<typeof tempDir>>;
let host: PolicyHost;
let keyValue: LevelKeyValue;
let zones: Record<string, Zone>;
let clock: ManualClock;
let settings: LiveValue<SmtpcSettings>;
let resolver: Resolver;
let sts: Sts;

const text = (mode = 'enforce', age = 604_800) => `version: STSv1\r\nmode: ${mode}\r\nmx: mx.dest.example\r\nmax_age: ${age}\r\n`;
const pair = ({ key, cert }: { key: string; cert: string }) => ({ key, cert });
const id = (given: string | undefined) => {
  zones['_mta-sts.dest.example'] = given === undefined ? {} : { txt: [`v=STSv1; id=${given};`] };
};
const opened = () => new Sts({ resolver, keyValue, settings, trust: createTrust({ settings, log: silentLog }), clock, log: silentLog });

beforeEach(async () => {
  dir = await tempDir();
  writeFileSync(`${dir.path}/root.pem`, root.cert);
  host = await startPolicyHost(pair(good), text());
  clock = new ManualClock();
  keyValue = await openKeyValue({ path: `${dir.path}/kv`, clock });
  zones = { 'mta-sts.dest.example': { a: ['127.0.0.1'] } };
  id('1');
  settings = new LiveValue({ ...defaultsOf(smtpcSettings), stsPort: host.port, tlsTrustedFile: `${dir.path}/root.pem` });
  resolver = tableResolver(zones, () => {});
  sts = opened();
});
afterEach(async () => {
  sts.stop();
  await host.stop();
  await keyValue.close();
  await dir.remove();
});

test('a policy is fetched once for many at a time, and is there after a restart without its host', async () => {
  const found = await Promise.all(Array.from({ length: 20 }, () => sts.policyOf('Dest.example')));
  for (const one of found) expect(one.policy).toMatchObject({ id: '1', mode: 'enforce', mx: ['mx.dest.example'], maxAge: 604_800 });
  await sts.policyOf('dest.example');
  expect(host.asked).toEqual(['GET /.well-known/mta-sts.txt mta-sts.dest.example']);
  host.status = 500;
  sts = opened();
  expect((await sts.policyOf('dest.example')).policy?.id).toBe('1');
  expect(host.asked).toHaveLength(1);
});

test('a policy that cannot be written down holds all the same', async () => {
  const { transact } = keyValue;
  keyValue.transact = () => Promise.reject(new Error('no space left on device'));
  expect((await sts.policyOf('dest.example')).policy?.mode).toBe('enforce');
  clock.advance(2 * day);
  expect((await sts.policyOf('dest.example')).policy?.mode).toBe('enforce');
  keyValue.transact = transact;
  expect(host.asked).toHaveLength(1);
});

test('without a record, or with one that is wrong, what is remembered holds until its time is over', async () => {
  await sts.policyOf('dest.example');
  for (const given of [undefined, 'a-b', '1; nonsense']) {
    id(given);
    expect((await sts.policyOf('dest.example')).policy?.id).toBe('1');
  }
  clock.advance(604_800_000 - 1);
  expect((await sts.policyOf('dest.example')).policy?.id).toBe('1');
  clock.advance(1);
  expect(await sts.policyOf('dest.example')).toEqual({});
  expect(host.asked).toHaveLength(1);
});

test('a new id is a reason to fetch; where that fails the old policy holds, and the host is left alone for five minutes', async () => {
  await sts.policyOf('dest.example');
  id('2');
  host.status = 404;
  for (const _ of [1, 2, 3])
    expect(await sts.policyOf('dest.example')).toMatchObject({ policy: { id: '1' }, failure: { type: 'sts-policy-fetch-error' } });
  expect(host.asked).toHaveLength(2);
  host.status = 200;
  host.text = text('none', 60);
  clock.advance(300_000);
  expect(await sts.policyOf('dest.example')).toEqual({ policy: expect.objectContaining({ id: '2', mode: 'none' }) });
  expect(host.asked).toHaveLength(3);
});

test.each([
  [
    'is not there',
    () => {
      host.status = 404;
    },
    'sts-policy-fetch-error',
    'answered 404',
  ],
  [
    'is elsewhere',
    () => {
      host.status = 301;
    },
    'sts-policy-fetch-error',
    'answered 301',
  ],
  [
    'is a page',
    () => {
      host.type = 'text/html';
    },
    'sts-policy-invalid',
    'not text/plain',
  ],
  [
    'is plainly no text',
    () => {
      host.type = 'text/plainly';
    },
    'sts-policy-invalid',
    'not text/plain',
  ],
  [
    'makes no sense',
    () => {
      host.text = 'hello';
    },
    'sts-policy-invalid',
    'line 1',
  ],
  [
    'has no end',
    () => {
      host.text = text() + 'x: y\r\n'.repeat(20_000);
    },
    'sts-policy-fetch-error',
    'more than 65536',
  ],
  ['comes from another host', () => host.use(pair(root.issue({ names: ['dest.example'] }))), 'sts-webpki-invalid', 'another host'],
  [
    'comes from a host named in the old way',
    () => host.use(pair(root.issue({ commonName: 'mta-sts.dest.example' }))),
    'sts-webpki-invalid',
    'another host',
  ],
  [
    'comes with a certificate that has expired',
    () => host.use(pair(root.issue({ names: ['mta-sts.dest.example'], to: -0.5 }))),
    'sts-webpki-invalid',
    'expired',
  ],
  [
    'comes from nobody known',
    () => host.use(pair(makeAuthority('Stranger').issue({ names: ['mta-sts.dest.example'] }))),
    'sts-webpki-invalid',
    'certificate',
  ],
  [
    'has no address',
    () => {
      delete zones['mta-sts.dest.example'];
    },
    'sts-policy-fetch-error',
    'no address',
  ],
  [
    'has an address that cannot be found',
    () => {
      zones['mta-sts.dest.example'] = { a: 'sick' };
    },
    'sts-policy-fetch-error',
    'SERVFAIL',
  ],
] as const)('a policy that %s is none', async (_what, change, type, said) => {
  change();
  expect(await sts.policyOf('dest.example')).toEqual({ failure: { type, text: expect.stringContaining(said) } });
});

test('policies in use are fetched anew every day, so that they do not run out; what nobody uses is not, and ends', async () => {
  id('1');
  await sts.policyOf('dest.example');
  clock.advance(day);
  host.text = text('testing', 604_800);
  await sts.refresh();
  expect(host.asked).toHaveLength(2);
  expect((await sts.policyOf('dest.example')).policy).toMatchObject({ mode: 'testing', fetchedAt: clock.now() });
  await sts.refresh();
  expect(host.asked).toHaveLength(2);
  host.status = 500;
  clock.advance(day);
  await sts.refresh();
  expect((await sts.policyOf('dest.example')).policy).toMatchObject({ mode: 'testing' });
  clock.advance(7 * day);
  await sts.refresh();
  id(undefined);
  expect(await sts.policyOf('dest.example')).toEqual({});
});

test('a name server that is silent holds up mail for five seconds, once in five minutes; what is remembered holds meanwhile', async () => {
  await sts.policyOf('dest.example');
  let asked = 0;
  const { txt } = resolver;
  resolver = {
    ...resolver,
    txt: (name) => {
      asked += 1;
      return asked > 1 ? txt(name) : new Promise(() => {});
    },
  };
  sts = opened();
  const work = sts.policyOf('dest.example');
  clock.advance(5_000);
  expect((await work).policy?.id).toBe('1');
  id('2');
  expect((await sts.policyOf('dest.example')).policy?.id).toBe('1');
  clock.advance(300_000);
  expect((await sts.policyOf('dest.example')).policy?.id).toBe('2');
  expect(asked).toBe(2);
});

test('a record that was damaged is fetched again, and holds up nothing', async () => {
  const damage = () =>
    keyValue.transact(async () => ({ puts: [['smtpc/sts/dest.example', Buffer.from('{"id":')]], result: undefined }), 'durable');
  await damage();
  expect((await sts.policyOf('dest.example')).policy?.id).toBe('1');
  await damage();
  await sts.refresh();
  expect((await opened().policyOf('dest.example')).policy?.id).toBe('1');
  expect(host.asked).toHaveLength(2);
});

test('a host that answers nothing is given up after a minute', async () => {
  const { createServer } = await import('node:net');
  let begun = 0;
  const silent = createServer((socket) => {
    begun += 1;
    socket.on('error', () => {}).resume();
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  settings.set({ ...settings.value, stsPort: (silent.address() as { port: number }).port });
  const work = sts.policyOf('dest.example');
  while (begun === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(60_000);
  expect(await work).toEqual({ failure: { type: 'sts-policy-fetch-error', text: 'mta-sts.dest.example did not answer in time' } });
  await new Promise<void>((resolve) => silent.close(() => resolve()));
});
