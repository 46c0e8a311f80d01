/** Reports about encryption: what is counted, who gets them, what they look like. */

import { writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { simpleParser } from 'mailparser';
import type { SmtpcSettings } from '../../src/smtpc/index.ts';
import { isTlsReport } from '../../src/smtpc/tls/report-message.ts';
import { reportPlaces } from '../../src/smtpc/tls/report-wish.ts';
import { makeAuthority } from '../support/authority.ts';
import { startPolicyHost } from '../support/policy-host.ts';
import { tempDir } from '../support/temp.ts';
import { startWorld, tableResolver, type World } from './helpers.ts';

const root = makeAuthority('Test Root');
const good = root.issue({ names: ['mx.dest.example', 'mta-sts.dest.example', 'reports.example'] });
const other = root.issue({ names: ['other.example'] });
const chained = ({ key, chain }: { key: string; chain: string }) => ({ key, cert: chain });
const day = 86_400_000;
let dir: Awaited<ReturnType<typeof tempDir>>;
let world: World;

beforeAll(async () => {
  dir = await tempDir();
  writeFileSync(`${dir.path}/root.pem`, root.cert);
});
afterEach(async () => {
  await world?.stop();
  world = undefined as never;
});

async function begin(changed: Partial<SmtpcSettings> = {}): Promise<World> {
  // Each message has a session, which is what is counted.
  world = await startWorld({ tls: chained(good) }, { idleTime: 0, tlsReports: true, tlsTrustedFile: `${dir.path}/root.pem`, ...changed });
  world.zones['_smtp._tls.dest.example'] = { txt: ['v=TLSRPTv1; rua=mailto:tls@reports.example'] };
  return world;
}
const sendOne = async (domain = 'dest.example'): Promise<void> => {
  const done = world.logged.filter((line) => /^(Sent|Deferred)/.test(line)).length;
  await world.queued([`bob@${domain}`]);
  await world.until(done + 1, /^(Sent|Deferred)/);
};
/** Reports that wait to be routed, unpacked. */
async function reports() {
  const found = [];
  for (const { message, to, text } of await world.notices()) {
    const mail = await simpleParser(text);
    const [part] = (mail.attachments as { contentType: string; filename?: string; content: Buffer }[]).filter(
      (one) => one.contentType === 'application/tlsrpt+gzip',
    );
    found.push({ message, to, text, mail, part, json: JSON.parse(gunzipSync(part?.content ?? Buffer.alloc(0)).toString()) });
  }
  return found;
}

test.each([
  [['v=TLSRPTv1; rua=mailto:a@b.example'], ['a@b.example']],
  [['v=TLSRPTv1;rua=mailto:a@b.example,https://c.example/x?y=z ;'], ['a@b.example', 'https://c.example/x?y=z']],
  [['v=TLSRPTv1; rua=mailto:a%2Bb@b.example?subject=x; ext=y'], ['a+b@b.example']],
  [['v=spf1', 'v=TLSRPTv1; rua=MAILTO:a@b.example'], ['a@b.example']],
  [['v=TLSRPTv1; rua=mailto:a@b.example', 'v=TLSRPTv1; rua=mailto:c@d.example'], []],
  [['v=TLSRPTv1'], []],
  [['v=TLSRPTv1;'], []],
  [['v=TLSRPTv2; rua=mailto:a@b.example'], []],
  [['v=TLSRPTv1; rua=http://c.example/, ftp://x/, mailto:, mailto:nobody, mailto:a%0d%0aBcc:x@y.example, https://u:p@c.example/'], []],
  [['v=TLSRPTv1; rua=mailto:%zz@b.example'], []],
  [['v=TLSRPTv1; nonsense; rua=mailto:a@b.example'], []],
  [
    [`v=TLSRPTv1; rua=${Array.from({ length: 50 }, (_, n) => `mailto:a${n}@b.example`).join(',')}`],
    Array.from({ length: 10 }, (_, n) => `a${n}@b.example`),
  ],
])('%j wants reports at %j', (records, expected) => {
  expect(reportPlaces(records).map((one) => (one.kind === 'mail' ? one.address : one.url))).toEqual(expected);
});

test('the day is reported once it is over, with what went well and what failed', async () => {
  await begin({ tlsReportOrganization: 'Jade "Ltd"', tlsReportContact: 'tls@jade.example', tlsReportFrom: 'noreply@jade.example' });
  await sendOne();
  await sendOne();
  world.sink.script.tls = undefined;
  await sendOne();
  expect(await world.smtpc.tls.counted()).toMatchObject([
    { day: '2030-01-01', domain: 'dest.example', policies: [{ type: 'no-policy-found', successful: 2, failed: 1 }] },
  ]);
  world.clock.advance(day - 3_600_000);
  expect(await reports()).toEqual([]);
  world.clock.advance(3_600_000 * 6);
  await world.until(1, /^Received /);
  const [one, ...more] = await reports();
  expect(more).toEqual([]);
  expect(await world.smtpc.tls.counted()).toEqual([]);
  expect(one?.to).toEqual(['tls@reports.example']);
  expect(one?.message).toMatchObject({ sender: 'noreply@jade.example', inputChannel: 'LOCALOUT', eightBit: false });
  expect(isTlsReport(one?.message as never)).toBe(true);
  const id = one?.json['report-id'];
  expect(one?.mail.headers.get('subject')).toBe(`Report Domain: dest.example Submitter: jade.example Report-ID: <${id}>`);
  expect(one?.mail.headers.get('tls-report-domain')).toBe('dest.example');
  expect(one?.mail.headers.get('tls-report-submitter')).toBe('jade.example');
  expect(one?.text).toMatch(/^Content-Type: multipart\/report; report-type="tlsrpt";\r\n\tboundary=/m);
  expect(one?.text).toMatch(/^TLS-Required: No\r$/m);
  expect(one?.text).not.toMatch(/[^\r]\n|[^\u0001-\u007f]/);
  expect(one?.part?.filename).toMatch(/^jade\.example!dest\.example!1893456000!1893542399![A-Za-z0-9]+\.json\.gz$/);
  expect(one?.json).toEqual({
    'organization-name': 'Jade "Ltd"',
    'date-range': { 'start-datetime': '2030-01-01T00:00:00Z', 'end-datetime': '2030-01-01T23:59:59Z' },
    'contact-info': 'tls@jade.example',
    'report-id': id,
    policies: [
      {
        policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'dest.example' },
        summary: { 'total-successful-session-count': 2, 'total-failure-session-count': 1 },
        'failure-details': [
          {
            'result-type': 'starttls-not-supported',
            'sending-mta-ip': '127.0.0.1',
            'receiving-mx-hostname': 'mx.dest.example',
            'receiving-ip': '127.0.0.1',
            'failed-session-count': 1,
            'failure-reason-code': 'mx.dest.example does not offer encryption',
          },
        ],
      },
    ],
  });
});

test('policies are told apart, with their text; failures of a policy in testing are counted though the mail went', async () => {
  const host = await startPolicyHost(chained(good), 'version: STSv1\nmode: testing\nmx: *.dest.example\nmax_age: 86400\n');
  await begin({ stsPort: host.port });
  world.zones['mta-sts.dest.example'] = { a: ['127.0.0.1'] };
  await sendOne();
  world.zones['_mta-sts.dest.example'] = { txt: ['v=STSv1; id=1'] };
  await sendOne();
  world.sink.script.tls = chained(other);
  await sendOne();
  world.zones['dest.example'] = { ...world.zones['dest.example'], secure: true };
  world.zones['mx.dest.example'] = { ...world.zones['mx.dest.example'], secure: true };
  world.zones[`_${world.sink.port}._tcp.mx.dest.example`] = {
    tlsa: [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 1) }],
  };
  await sendOne();
  expect(await world.smtpc.tls.report()).toMatchObject([{ domain: 'dest.example', places: ['mailto:tls@reports.example'] }]);
  const [one] = await reports();
  expect(one?.json.policies).toMatchObject([
    { policy: { 'policy-type': 'no-policy-found' }, summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 0 } },
    {
      policy: {
        'policy-type': 'sts',
        'policy-string': ['version: STSv1', 'mode: testing', 'mx: *.dest.example', 'max_age: 86400'],
        'mx-host': ['*.dest.example'],
      },
      summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 1 },
      'failure-details': [{ 'result-type': 'certificate-host-mismatch' }],
    },
    {
      policy: { 'policy-type': 'tlsa', 'policy-string': [`_${world.sink.port}._tcp.mx.dest.example. IN TLSA 3 1 1 ${'01'.repeat(32)}`] },
      summary: { 'total-successful-session-count': 0, 'total-failure-session-count': 1 },
      'failure-details': [{ 'result-type': 'validation-failure' }],
    },
  ]);
  await host.stop();
});

test('a policy that cannot be fetched is reported as that', async () => {
  const host = await startPolicyHost(chained(other), '');
  await begin({ stsPort: host.port });
  world.zones['mta-sts.dest.example'] = { a: ['127.0.0.1'] };
  world.zones['_mta-sts.dest.example'] = { txt: ['v=STSv1; id=1'] };
  await sendOne();
  expect(await world.smtpc.tls.counted()).toMatchObject([
    {
      policies: [
        { type: 'sts', failed: 1, failures: [{ type: 'sts-webpki-invalid' }] },
        { type: 'no-policy-found', successful: 1 },
      ],
    },
  ]);
  await host.stop();
});

test('nothing is counted while reports are off, and what was counted goes unreported', async () => {
  await begin();
  await sendOne();
  world.settings.set({ ...world.settings.value, tlsReports: false });
  await sendOne('dest.example');
  expect(await world.smtpc.tls.counted()).toMatchObject([{ policies: [{ successful: 1 }] }]);
  expect(await world.smtpc.tls.report()).toEqual([]);
  expect(await world.smtpc.tls.counted()).toEqual([]);
  expect(await reports()).toEqual([]);
});

test('who wants no reports gets none, and who cannot be asked is asked again', async () => {
  await begin();
  world.zones['_smtp._tls.dest.example'] = {};
  await sendOne();
  expect(await world.smtpc.tls.report()).toEqual([]);
  expect(await world.smtpc.tls.counted()).toEqual([]);
  world.zones['_smtp._tls.dest.example'] = { txt: 'sick' };
  await sendOne();
  expect(await world.smtpc.tls.report()).toEqual([]);
  expect(await world.smtpc.tls.counted()).toHaveLength(1);
  world.zones['_smtp._tls.dest.example'] = { txt: ['v=TLSRPTv1; rua=mailto:tls@reports.example'] };
  expect(await world.smtpc.tls.report()).toHaveLength(1);
});

test('a report goes by HTTPS too, and is tried again until it is taken', async () => {
  const host = await startPolicyHost(chained(good), '');
  await begin();
  world.zones['reports.example'] = { a: ['127.0.0.1'] };
  world.zones['_smtp._tls.dest.example'] = { txt: [`v=TLSRPTv1; rua=https://reports.example:${host.port}/v1/tlsrpt?a=b`] };
  host.status = 503;
  // One that was damaged is in nobody's way.
  await world.keyValue.transact(async () => ({ puts: [['smtpc/tlsrpt/post/0', Buffer.from('{')]], result: undefined }), 'durable');
  await sendOne();
  await world.smtpc.tls.report();
  expect(await world.keyValue.get('smtpc/tlsrpt/post/0')).toBeUndefined();
  expect(host.posted).toHaveLength(1);
  host.status = 201;
  await world.smtpc.tls.report();
  await world.smtpc.tls.report();
  expect(host.asked).toEqual(Array.from({ length: 2 }, () => 'POST /v1/tlsrpt?a=b reports.example'));
  const [, second] = host.posted;
  expect(second?.type).toBe('application/tlsrpt+gzip');
  expect(JSON.parse(gunzipSync(second?.body ?? Buffer.alloc(0)).toString())).toMatchObject({ 'organization-name': 'jade.example' });
  await host.stop();
});

test('a stop does not wait for the DNS of hosts that reports go to', async () => {
  const table = tableResolver(
    {
      'dest.example': { mx: [{ preference: 10, exchange: 'mx.dest.example' }] },
      'mx.dest.example': { a: ['127.0.0.1'] },
      '_smtp._tls.dest.example': { txt: ['v=TLSRPTv1; rua=https://reports.example/'] },
    },
    () => {},
  );
  let asked = false;
  const addresses: typeof table.addresses = (name) => {
    if (name !== 'reports.example') return table.addresses(name);
    asked = true;
    return new Promise(() => {});
  };
  world = await startWorld({}, { tlsReports: true }, { resolver: { ...table, addresses } });
  await sendOne();
  const report = world.smtpc.tls.report();
  while (!asked) await new Promise((resolve) => setTimeout(resolve, 2));
  await world.smtpc.stop();
  expect(await report).toMatchObject([{ domain: 'dest.example' }]);
});

test('a report itself goes out whatever is wrong with the encryption, and is not counted', async () => {
  await begin();
  world.peers['dest.example'] = { tls: 'verified' };
  world.sink.script.tls = chained(other);
  await sendOne();
  expect(world.logged.at(-1)).toMatch(/^Deferred/);
  const before = await world.smtpc.tls.counted();
  await world.queued(['tls@dest.example'], { inputChannel: 'LOCALOUT', origin: { protocol: 'tlsrpt' } });
  world.clock.advance(3_600_000);
  await world.until(1, /^Sent .* to tls@dest\.example .*encrypted=TLSv1\.3.* verified=none/);
  expect(await world.smtpc.tls.counted()).toMatchObject(
    before.map(({ domain }: { domain: string }) => ({ domain, policies: [{ successful: 0 }] })),
  );
});
