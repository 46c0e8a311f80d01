/** What verifying and signing cost in processor time: room mail-auth alone, the DNS answering from memory. `npx tsx test/bench/mail-auth.ts` */

import { createPrivateKey } from 'node:crypto';
import { constant, systemClock } from '../../src/base/index.ts';
import { digest, signature } from '../../src/mail-auth/dkim-sign.ts';
import { createMailAuthentication, keyRecord, type MailAuthSettings, mailAuthSettings, makeKey } from '../../src/mail-auth/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { dnsOf } from '../mail-auth/support.ts';

const domain = 'football.example.com';
const header = [
  'Received: from a.example (a.example [192.0.2.1])\r\n\tby mx.b.example with ESMTPS id 123;\r\n\tWed, 25 Nov 2026 12:00:00 +0000',
  `From: Joe <joe@${domain}>`,
  'To: a@b.example',
  'Subject: hello there',
  'Date: Wed, 25 Nov 2026 12:00:00 +0000',
  `Message-ID: <abc@${domain}>`,
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8',
].join('\r\n');
const line = 'The quick brown fox jumps over the lazy dog, and does it again and again.\r\n';

function* pieces(bytes: Buffer): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** Microseconds of processor time for one, the first few not counted. */
async function cost(times: number, work: () => Promise<unknown>): Promise<number> {
  for (let n = 0; n < times / 5; n += 1) await work();
  const before = process.cpuUsage();
  for (let n = 0; n < times; n += 1) await work();
  const { user, system } = process.cpuUsage(before);
  return Math.round((user + system) / times);
}

for (const [type, size] of [
  ['rsa', 4_096],
  ['ed25519', 4_096],
  ['rsa', 65_536],
  ['rsa', 10_485_760],
] as const) {
  const key = makeKey(type);
  const privateKey = createPrivateKey({ key: Buffer.from(key.privateKey, 'base64'), format: 'der', type: 'pkcs8' });
  const text = Buffer.from(`${header}\r\n\r\n${line.repeat(Math.max(1, Math.floor((size - header.length) / line.length)))}`);
  const times = size > 1e6 ? 5 : 3_000;
  const sign = async (): Promise<string> => {
    async function* content(): AsyncIterable<Uint8Array> {
      yield* pieces(text);
    }
    const read = await digest(content());
    return read ? signature(read, { domain, selector: 'x', type, key: privateKey }, { now: Date.now() }) : '';
  };
  const lookup = dnsOf({
    [`TXT x._domainkey.${domain}`]: [keyRecord(key)],
    [`TXT ${domain}`]: ['v=spf1 include:spf.example -all'],
    'TXT spf.example': ['v=spf1 ip4:192.0.2.0/24 -all'],
    [`TXT _dmarc.${domain}`]: ['v=DMARC1; p=reject'],
  });
  const message = Buffer.concat([Buffer.from(await sign()), text]);
  const verify = (settings: Partial<MailAuthSettings>, outside = true) => {
    const authentication = createMailAuthentication({
      lookup,
      clock: systemClock,
      random: Math.random,
      host: () => 'mx.example.org',
      settings: constant({ ...defaultsOf(mailAuthSettings), ...settings }),
      ruleOf: () => undefined,
    });
    return async (): Promise<void> => {
      const one = authentication.begin({ address: '192.0.2.1', helo: `mx.${domain}`, sender: `joe@${domain}` }, outside);
      for (const piece of pieces(message)) one?.push(piece);
      one?.last();
      const end = await one?.end();
      if (outside && !/dmarc=pass/.test(end?.header ?? '')) throw new Error(`not verified: ${end?.header}`);
    };
  };
  console.log(
    `${type} ${size} octets, µs: sign ${await cost(times, sign)}, verify all ${await cost(times, verify({}))}, without SPF ${await cost(times, verify({ spf: false }))}, forged only ${await cost(times, verify({}, false))}`,
  );
}
