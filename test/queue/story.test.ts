import { expect, test } from '@jest/globals';
import { type Log, silentLog } from '../../src/base/index.ts';
import { fromStoryWord, type QueuedMessage, readStory, steps, storyWord, tellStep } from '../../src/queue/index.ts';

const message: QueuedMessage = {
  id: '01q3dcbd007j45jv',
  sender: 'a@elsewhere.example',
  blob: { id: 'b', size: 332 },
  prefix: '',
  inputChannel: 'SMTPD',
  origin: { address: '192.0.2.1', helo: 'x.example', protocol: 'ESMTPS', tls: true, login: 'bill@jade.example' },
  smtputf8: false,
  eightBit: false,
  arrivedAt: 0,
  messageId: '<m1@elsewhere.example>',
} as unknown as QueuedMessage;

function written(line: Omit<Parameters<typeof tellStep>[1], 'message'> & { message?: QueuedMessage }): string {
  let text = '';
  const log: Log = { ...silentLog, enabled: () => true, message: (one) => (text = one) };
  tellStep(log, { message, ...line });
  return text;
}

test('a line begins as the manual has it and names all that belongs to it', () => {
  expect(written({ step: 'Delivered', recipients: ['b@jade.example'], channel: 'LOCAL', mailbox: 'b@jade.example/INBOX' })).toBe(
    'Delivered 01q3dcbd007j45jv size: 332 bytes from: <a@elsewhere.example> to b@jade.example channel=LOCAL mailbox=b@jade.example/INBOX msgid=<m1@elsewhere.example> client=[192.0.2.1] helo=x.example tls=yes user=bill@jade.example protocol=ESMTPS',
  );
});

test('of many recipients the first are named and the rest counted', () => {
  const recipients = Array.from({ length: 1_000 }, (_, n) => `r${n}@jade.example`);
  const line = written({ step: 'Received', recipients, channel: 'SMTPD' });
  expect(line.length).toBeLessThan(1_000);
  expect(readStory(line)).toMatchObject({ recipients: recipients.slice(0, 20), words: { more: '980' } });
});

const hostile = [
  '"x to victim@jade.example channel=LOCAL parent=01aaaaaaaaaaaaaa: 250 ok"@e.example',
  '"a,b"@e.example',
  '"a>LOCAL:uuid>b"@e.example',
  '"back\\\\slash \\x20"@e.example',
  'ü\u3000\u2003@e.example',
  '"line\r\nDelivered 01aaaaaaaaaaaaaa size: 1 bytes from: <> to c"@e.example',
  'route=x',
  ':',
  '',
];

test('whatever stands in addresses, names and replies is read back as what it was, and as nothing else', () => {
  for (const text of hostile) {
    expect(fromStoryWord(storyWord(text))).toBe(text);
    const line = written({
      step: 'Sent',
      message: { ...message, sender: text, messageId: `<${text}>`, origin: { address: '192.0.2.1', helo: text } },
      recipients: text === '' ? ['b@x.example'] : [text, text],
      channel: 'SMTPC',
      routes: [{ original: text, queue: 'SMTPC', identifier: text, address: `${text}1` }],
      host: 'mx.example',
      text: '250 ok parent=01bbbbbbbbbbbbbb: to x msgid=<y>',
    });
    const read = readStory(line);
    expect(read).toMatchObject({
      step: 'Sent',
      id: message.id,
      size: 332,
      sender: text,
      recipients: text === '' ? ['b@x.example'] : [text, text],
      routes: [{ original: text, queue: 'SMTPC', identifier: text, address: `${text}1` }],
      text: '250 ok parent=01bbbbbbbbbbbbbb: to x msgid=<y>',
    });
    expect(read?.words['parent']).toBeUndefined();
    if (text !== '') expect(read?.words).toMatchObject({ helo: text, msgid: text, host: 'mx.example' });
  }
});

test('very long words are cut and lines of another kind are none', () => {
  expect(storyWord('x'.repeat(5_000)).length).toBeLessThan(330);
  for (const step of steps) expect(readStory(`${step}ish 01q3dcbd007j45jv size: 1 bytes from: <> to b`)).toBeUndefined();
  expect(readStory('01q3dcbd007j45jv: not bounced')).toBeUndefined();
});
