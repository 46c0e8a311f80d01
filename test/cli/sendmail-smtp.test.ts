/** Handing in by SMTP: what arrives, and which fault stands for which reply. */

import { afterEach, expect, test } from '@jest/globals';
import { handInBySmtp, type SmtpHandIn } from '../../src/cli/sendmail-smtp.ts';
import { type Sink, type SinkScript, startSink } from '../support/smtp-sink.ts';

let sink: Sink | undefined;
afterEach(async () => sink?.stop());

async function hand(script: SinkScript, over: Partial<SmtpHandIn> = {}): Promise<Sink> {
  sink = await startSink(script);
  await handInBySmtp({
    where: { host: '127.0.0.1', port: sink.port },
    name: 'mail.jade.net',
    sender: 'anna@jade.net',
    recipients: ['bart@jade.net', 'müller@jade.net'],
    bytes: Buffer.from('Subject: x\n\n.dot\nend'),
    ...over,
  });
  return sink;
}

test('the message arrives whole, with the fields every message has and what the sender wants to hear', async () => {
  const { messages } = await hand({}, { notify: 'SUCCESS,FAILURE', ret: 'HDRS', envelopeId: 'QQ1' });
  expect(messages).toHaveLength(1);
  const [{ from = '', to = [], lines = [], data = '' } = {}] = messages;
  expect([from, to.length]).toEqual(['anna@jade.net', 2]);
  expect(lines[0]).toMatch(/RET=HDRS.*ENVID=QQ1|ENVID=QQ1.*RET=HDRS/);
  expect(lines[1]).toContain('NOTIFY=SUCCESS,FAILURE');
  expect(data).toMatch(/^Message-ID: <\S+@mail\.jade\.net>\r\nDate: [^\r]+\r\nFrom: anna@jade\.net\r\nSubject: x\r\n\r\n\.dot\r\nend\r\n$/);
});

test.each([
  ['RCPT', '550 5.1.1 no such user', 'not-found'],
  ['RCPT', '550 5.7.1 relaying denied', 'not-permitted'],
  ['MAIL', '552 5.3.4 too large', 'too-large'],
  ['RCPT', '451 4.3.0 later', 'unavailable'],
  ['.', '554 5.6.0 bad', 'refused'],
  ['connect', '421 busy', 'unavailable'],
  ['.', 'drop', 'unavailable'],
])('%s answered "%s" is %s', async (verb, reply, kind) => {
  await expect(hand({ reply: (at) => (at === verb ? reply : undefined) })).rejects.toMatchObject({ kind });
});

test('of several recipients the one that is refused is named, and the others get the message', async () => {
  const reply = (verb: string, line: string): string | undefined =>
    verb === 'RCPT' && line.includes('bart') ? '550 5.1.1 no bart' : undefined;
  await expect(hand({ reply })).rejects.toMatchObject({ kind: 'not-found', say: 'bart@jade.net: 550 5.1.1 no bart' });
  expect(sink?.messages).toHaveLength(1);
});

test('a server that is not there is told as such', async () => {
  const gone = await startSink();
  await gone.stop();
  await expect(hand({}, { where: { host: '127.0.0.1', port: gone.port } })).rejects.toMatchObject({ kind: 'unavailable' });
});
