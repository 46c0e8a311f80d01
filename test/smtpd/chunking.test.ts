import { afterEach, expect, test } from '@jest/globals';
import { type Client, greeted, startWorld, type World, type WorldOptions } from './helpers.ts';

let world: World;
let clients: Client[] = [];
const begin = async (options?: WorldOptions): Promise<Client> => {
  world = await startWorld(options);
  return client();
};
const client = async (): Promise<Client> => {
  const made = await greeted(world);
  clients.push(made);
  return made;
};
afterEach(async () => {
  for (const one of clients) one.close();
  clients = [];
  await world.stop();
});
const mail = 'MAIL FROM:<a@x.example>\r\n';
const rcpt = 'RCPT TO:<bob@jade.example>\r\n';
const replies = async (c: Client, count: number): Promise<string[]> => {
  const all: string[] = [];
  for (let n = 0; n < count; n += 1) all.push((await c.reply()).slice(0, 9));
  return all;
};

test('a message in chunks is what was sent, whatever is in it and however it is cut', async () => {
  const c = await begin();
  const text = 'Subject: x\r\n\r\n.\r\n..\r\nQUIT\r\n\r\n.\r\nend\r\n';
  for (const slowly of [false, true]) {
    const bytes = `${mail}${rcpt}BDAT 20\r\n${text.slice(0, 20)}BDAT 0\r\nBDAT ${text.length - 20} LAST\r\n${text.slice(20)}NOOP\r\n`;
    if (slowly)
      for (const octet of bytes) {
        c.write(octet);
        await new Promise((resolve) => setImmediate(resolve));
      }
    else c.write(bytes);
    expect(await replies(c, 6)).toEqual(['250 2.1.0', '250 2.1.5', '250 2.0.0', '250 2.0.0', '250 2.0.0', '250 2.0.0']);
    expect(world.bytes(world.accepted.length - 1)).toBe(text);
  }
  expect(world.accepted).toHaveLength(2);
});

test('a last chunk may be empty, and a line that lacks its end gets one', async () => {
  const c = await begin();
  c.write(`${mail}${rcpt}BDAT 10\r\nX: no lf\nxBDAT 0 LAST\r\n`);
  expect(await replies(c, 4)).toEqual(['250 2.1.0', '250 2.1.5', '250 2.0.0', '250 2.0.0']);
  expect(world.bytes()).toBe('X: no lf\r\nx\r\n');
});

test.each([
  ['without a sender', '', ['503 5.5.1']],
  ['without a recipient', mail, ['250 2.1.0', '554 5.5.1']],
])('octets announced %s are read and never commands', async (_, before, answers) => {
  const c = await begin();
  const evil = `${mail}${rcpt}`;
  c.write(`${before}BDAT ${evil.length} LAST\r\n${evil}NOOP\r\n`);
  expect(await replies(c, answers.length + 1)).toEqual([...answers, '250 2.0.0']);
  expect(world.accepted).toEqual([]);
});

test('within a message neither DATA nor recipients are taken, and RSET gives it up', async () => {
  const c = await begin();
  c.write(`${mail}${rcpt}BDAT 3\r\nabcDATA\r\n${rcpt}${mail}RSET\r\nBDAT 2 LAST\r\nhiNOOP\r\n`);
  expect(await replies(c, 9)).toEqual([
    '250 2.1.0',
    '250 2.1.5',
    '250 2.0.0',
    '503 5.5.1',
    '503 5.5.1',
    '503 5.5.1',
    '250 2.0.0',
    '503 5.5.1',
    '250 2.0.0',
  ]);
  expect(world.accepted).toEqual([]);
  expect(world.blobs.open).toBe(0);
});

test('who leaves between two chunks leaves nothing behind', async () => {
  const c = await begin();
  c.write(`${mail}${rcpt}BDAT 3\r\nabc`);
  await replies(c, 3);
  expect(world.blobs.open).toBe(1);
  c.write('QUIT\r\n');
  await c.rest();
  await world.smtpd.stop();
  expect(world.blobs.open).toBe(0);
});

test('too much is refused with the chunk that goes over, and the rest with it', async () => {
  const c = await begin({ settings: { maxMessageSize: 1_000 } });
  const big = 'x'.repeat(990).concat('\r\n');
  c.write(`${mail}${rcpt}BDAT ${big.length}\r\n${big}BDAT ${big.length}\r\n${big}BDAT 2 LAST\r\nhiNOOP\r\n`);
  expect(await replies(c, 6)).toEqual(['250 2.1.0', '250 2.1.5', '250 2.0.0', '552 5.3.4', '503 5.5.1', '250 2.0.0']);
  c.write(`${mail}${rcpt}BDAT 99999999999999 LAST\r\n`);
  expect(await replies(c, 2)).toEqual(['250 2.1.0', '250 2.1.5']);
  c.write('x'.repeat(1_000_000));
  expect(world.accepted).toEqual([]);
});

test.each(['BDAT', 'BDAT x', 'BDAT -1', 'BDAT 10 FIRST', 'BDAT 0x10', 'BDAT 1 LAST LAST', 'BDAT 9999999999999999'])(
  '%s says nothing about what follows: the connection ends',
  async (line) => {
    const c = await begin();
    c.write(`${mail}${rcpt}${line}\r\n${mail}`);
    const all = await c.rest();
    expect(all.slice(2).map((one) => one.slice(0, 9))).toEqual(['501 5.5.4']);
  },
);

test('switched off it is neither offered nor taken', async () => {
  const c = await begin({ settings: { offerChunking: false } });
  c.write(`${mail}${rcpt}BDAT 4 LAST\r\nhi\r\nNOOP\r\n`);
  expect(await replies(c, 4)).toEqual(['250 2.1.0', '250 2.1.5', '502 5.5.1', '250 2.0.0']);
  expect(await c.say('EHLO x.example')).not.toMatch(/CHUNKING/);
});

test.each([
  ['offerSize', 'SIZE'],
  ['offer8BitMime', '8BITMIME'],
  ['offerDsn', 'DSN'],
  ['offerSmtpUtf8', 'SMTPUTF8'],
  ['offerPipelining', 'PIPELINING'],
  ['offerChunking', 'CHUNKING'],
  ['offerEtrn', 'ETRN'],
  ['offerEnhancedStatus', 'ENHANCEDSTATUSCODES'],
  ['offerAuth', 'AUTH'],
] as const)('%s takes away %s', async (name, keyword) => {
  await begin();
  const offered = async (): Promise<string> => (await client()).say('EHLO x.example');
  expect(await offered()).toMatch(new RegExp(`^250[- ]${keyword}`, 'm'));
  world.settings.set({ ...world.settings.value, [name]: false });
  const now = await offered();
  expect(now).not.toMatch(new RegExp(`^250[- ]${keyword}`, 'm'));
  expect(now.split('\n').length).toBeGreaterThan(3);
  if (name === 'offerEnhancedStatus') expect(await (await client()).say('NOOP')).toBe('250 ok');
});

test('PLAIN and LOGIN are switched one by one', async () => {
  await begin({ settings: { loginWithoutTls: 'always', authPlain: false } });
  const c = await client();
  expect(await c.say('EHLO x.example')).toMatch(/^250-AUTH LOGIN/m);
  expect(await c.say('AUTH PLAIN')).toMatch(/^504 5\.5\.4 /);
  world.settings.set({ ...world.settings.value, authLogin: false, authPlain: true });
  const d = await client();
  expect(await d.say('EHLO x.example')).toMatch(/^250-AUTH PLAIN/m);
  expect(await d.say('AUTH LOGIN')).toMatch(/^504 /);
});
