import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import forge from 'node-forge';
import { constant, createListener, type Listener, LiveValue, ManualClock, type Place, silentLog, startTls } from '../../src/base/index.ts';
import { tempDir } from '../support/temp.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const anywhere: Place = { host: '127.0.0.1', port: 0 };

function listener(over: Partial<Parameters<typeof createListener>[0]> = {}): Listener {
  const made = createListener({
    name: 'TEST',
    where: constant(anywhere),
    maxConnections: () => 100,
    onConnection: (socket) => socket.write('hello\r\n'),
    log: silentLog,
    clock: new ManualClock(),
    ...over,
  });
  cleanups.push(() => made.stop(0).catch(() => {}));
  return made;
}

const portOf = (l: Listener): number => (l.address() as AddressInfo).port;

function client(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

const line = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let seen = '';
    socket.on('data', (data) => {
      seen += data;
      if (seen.includes('\n')) resolve(seen.trim());
    });
    socket.on('close', () => resolve(`closed ${seen.trim()}`.trim()));
  });

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

const until = async (check: () => boolean): Promise<void> => {
  for (let turns = 0; !check(); turns++) {
    if (turns > 100_000) throw new Error('waited in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
};

function certificate(name: string): { key: string; cert: string } {
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const cert = forge.pki.createCertificate();
  cert.publicKey = keys.publicKey;
  cert.serialNumber = '01';
  cert.validity.notBefore = new Date(Date.now() - 86_400_000);
  cert.validity.notAfter = new Date(Date.now() + 86_400_000);
  cert.setSubject([{ name: 'commonName', value: name }]);
  cert.setIssuer([{ name: 'commonName', value: name }]);
  cert.sign(keys.privateKey, forge.md.sha256.create());
  return { key: forge.pki.privateKeyToPem(keys.privateKey), cert: forge.pki.certificateToPem(cert) };
}

test('a port that another program holds is refused with a fault that names it', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => other.close());
  const port = (other.address() as AddressInfo).port;
  await expect(listener({ where: constant({ host: '127.0.0.1', port }) }).start()).rejects.toMatchObject({
    kind: 'unavailable',
    say: `cannot listen on 127.0.0.1 port ${port}: another program is using it`,
  });
});

test('connections over the total limit are told so and closed, and the others live on', async () => {
  const l = listener({ maxConnections: () => 1, onSurplus: (socket) => socket.write('too many\r\n') });
  await l.start();
  const first = client(portOf(l));
  expect(await line(first)).toBe('hello');
  const second = client(portOf(l));
  expect(await line(second)).toBe('too many');
  await closed(second);
  expect(l.connections).toBe(1);
  first.destroy();
  await until(() => l.connections === 0);
  expect(await line(client(portOf(l)))).toBe('hello');
});

test('where a limit is reached, handshakes that are not done make room, the oldest first, and then whoever the door spares', async () => {
  const spared: Socket[] = [];
  const l: Listener = listener({
    tls: constant(certificate('localhost')),
    maxConnections: () => 2,
    onConnection: (socket) => {
      spared.push(socket);
      socket.write('hello\r\n');
    },
    makeRoom: (address) => {
      if (l.endHandshake(address, performance.now())) return true;
      const socket = spared.shift();
      socket?.destroy();
      return socket !== undefined;
    },
  });
  await l.start();
  const port = portOf(l);
  const gone = [client(port), client(port)].map(closed);
  for (let n = 0; n < 2; n++) {
    const secure = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    cleanups.push(() => secure.destroy());
    expect(await line(secure)).toBe('hello');
    await gone[n];
  }
  const last = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  cleanups.push(() => last.destroy());
  expect(await line(last)).toBe('hello');
  expect(spared).toHaveLength(2);
});

test('connections over the limit of one address are closed', async () => {
  const l = listener({ maxPerAddress: () => 2 });
  await l.start();
  const port = portOf(l);
  expect(await line(client(port))).toBe('hello');
  expect(await line(client(port))).toBe('hello');
  expect(await line(client(port))).toBe('closed');
});

test('an address that is not admitted is closed without a word', async () => {
  const l = listener({ admits: (address) => address !== '127.0.0.1' });
  await l.start();
  expect(await line(client(portOf(l)))).toBe('closed');
});

test('a handler that throws costs only its own connection', async () => {
  let bad = true;
  const l = listener({
    onConnection(socket) {
      if (bad) throw new Error('broken');
      socket.write('hello\r\n');
    },
  });
  await l.start();
  expect(await line(client(portOf(l)))).toBe('closed');
  bad = false;
  expect(await line(client(portOf(l)))).toBe('hello');
});

test('a move opens the new port, closes the old one and keeps open connections', async () => {
  const where = new LiveValue<Place>(anywhere);
  const l = listener({ where, onConnection: (socket) => socket.on('data', (data) => socket.write(data)) });
  await l.start();
  const old = portOf(l);
  const stays = client(old);
  await new Promise((resolve) => stays.once('connect', resolve));
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const next = (free.address() as AddressInfo).port;
  await new Promise((resolve) => free.close(resolve));
  where.set({ host: '127.0.0.1', port: next });
  await until(() => portOf(l) === next);
  const answer = line(stays);
  stays.write('still here\r\n');
  expect(await answer).toBe('still here');
  expect(await line(client(old))).toBe('closed');
});

test('a move to a port that cannot be had keeps the old one', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => other.close());
  const complaints: string[] = [];
  const where = new LiveValue<Place>(anywhere);
  const l = listener({ where, log: { ...silentLog, error: (text) => complaints.push(text) } });
  await l.start();
  const old = portOf(l);
  where.set({ host: '127.0.0.1', port: (other.address() as AddressInfo).port });
  await until(() => complaints.length > 0);
  expect(portOf(l)).toBe(old);
  expect(l.problem).toMatch(/^TEST: .*; 127\.0\.0\.1 port 0 is kept$/);
  expect(await line(client(old))).toBe('hello');
  where.set(anywhere);
  await until(() => l.problem === undefined);
});

test('the same port on another address is taken over', async () => {
  const where = new LiveValue<Place>(anywhere);
  const l = listener({ where });
  await l.start();
  const port = portOf(l);
  where.set({ host: '0.0.0.0', port });
  await until(() => (l.address() as AddressInfo | undefined)?.address === '0.0.0.0');
  expect(await line(client(port))).toBe('hello');
});

test('off closes the port and on opens one again', async () => {
  const where = new LiveValue<Place>('off');
  const l = listener({ where });
  await l.start();
  expect(l.address()).toBeUndefined();
  where.set(anywhere);
  await until(() => l.address() !== undefined);
  where.set('off');
  await until(() => l.address() === undefined);
});

test('stop cuts those who do not leave within the grace', async () => {
  const clock = new ManualClock();
  const l = listener({ clock });
  await l.start();
  const stubborn = client(portOf(l));
  await line(stubborn);
  const stopped = l.stop(5000);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(5000);
  await stopped;
  expect(l.connections).toBe(0);
});

test('a stopped listener can be started again', async () => {
  const l = listener();
  await l.start();
  await l.stop(0);
  expect(l.address()).toBeUndefined();
  await l.start();
  expect(await line(client(portOf(l)))).toBe('hello');
});

test('a start that failed for its certificate can be tried again', async () => {
  const tls = new LiveValue<{ cert: string; key: string } | undefined>({ cert: 'rubbish', key: 'rubbish' });
  const l = listener({ tls });
  await expect(l.start()).rejects.toMatchObject({ kind: 'unavailable' });
  tls.set(certificate('a.example'));
  await l.start();
  expect(l.address()).toBeDefined();
});

test('a Unix socket left over by a dead process is replaced, a live one is not', async () => {
  const dir = await tempDir();
  cleanups.push(dir.remove);
  const path = join(dir.path, 'door');
  await writeFile(path, '');
  const l = listener({ where: constant({ path }) });
  await l.start();
  expect(l.address()).toBe(path);
  await expect(listener({ where: constant({ path }) }).start()).rejects.toMatchObject({ kind: 'unavailable' });
});

test('an implicit-TLS port is closed without a certificate, opens with one and follows its renewal', async () => {
  const tls = new LiveValue<{ key: string; cert: string } | undefined>(undefined);
  const l = listener({ tls });
  await l.start();
  expect(l.address()).toBeUndefined();
  const subject = (): Promise<string> =>
    new Promise((resolve) => {
      const socket: TLSSocket = connectTls({ port: portOf(l), host: '127.0.0.1', rejectUnauthorized: false }, () =>
        resolve(String(socket.getPeerCertificate().subject.CN)),
      );
      cleanups.push(() => socket.destroy());
    });
  tls.set(certificate('one.example'));
  await until(() => l.address() !== undefined);
  expect(await subject()).toBe('one.example');
  tls.set(certificate('two.example'));
  expect(await subject()).toBe('two.example');
  tls.set({ key: 'rubbish', cert: 'rubbish' });
  expect(await subject()).toBe('two.example');
});

test('plaintext sent to an implicit-TLS port never reaches the door', async () => {
  let reached = 0;
  const l = listener({ tls: constant(certificate('one.example')), onConnection: () => (reached += 1) });
  await l.start();
  const socket = client(portOf(l));
  socket.write('USER somebody\r\nPASS something\r\n'.repeat(10));
  await closed(socket);
  expect(reached).toBe(0);
  await until(() => l.connections === 0);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a part of a handshake', Buffer.from('16030100a5010000a10303cb34ecb1e78163ba', 'hex')],
])('who leaves an implicit-TLS port of a half-open door after %s is gone at once', async (_, sent) => {
  const l = listener({ tls: constant(certificate('one.example')), halfOpen: true });
  await l.start();
  const stranger = client(portOf(l));
  await until(() => l.connections === 1);
  stranger.end(sent);
  await until(() => l.connections === 0);
});

test('on an implicit-TLS port of a half-open door a client may end its half and still be answered', async () => {
  const l = listener({
    tls: constant(certificate('one.example')),
    halfOpen: true,
    onConnection: (socket) => {
      let said = '';
      socket.on('data', (chunk) => {
        said += chunk;
      });
      socket.on('end', () => setImmediate(() => socket.end(`you said ${said}\r\n`)));
    },
  });
  await l.start();
  const secure = connectTls({ port: portOf(l), host: '127.0.0.1', rejectUnauthorized: false, allowHalfOpen: true } as never);
  cleanups.push(() => secure.destroy());
  secure.end('something');
  expect(await line(secure)).toBe('you said something');
});

test('startTls fails with a fault when the peer sends rubbish or nothing', async () => {
  const faults: unknown[] = [];
  const clock = new ManualClock();
  const context = certificate('one.example');
  let begun = 0;
  const l = listener({
    onConnection(socket) {
      startTls(socket, context, 1000, clock).catch((fault) => faults.push(fault));
      begun += 1;
    },
  });
  await l.start();
  const rubbish = client(portOf(l));
  rubbish.write('rubbish rubbish rubbish\r\n'.repeat(20));
  await until(() => faults.length === 1);
  client(portOf(l));
  await until(() => begun === 2);
  clock.advance(1000);
  await until(() => faults.length === 2);
  expect(faults).toEqual([expect.objectContaining({ kind: 'unavailable' }), expect.objectContaining({ kind: 'unavailable' })]);
});

test('startTls gives an encrypted socket', async () => {
  const context = certificate('one.example');
  const l = listener({ onConnection: (socket) => void startTls(socket, context).then((secure) => secure.write('hello in secret\r\n')) });
  await l.start();
  const socket = connectTls({ socket: client(portOf(l)), rejectUnauthorized: false });
  expect(await line(socket)).toBe('hello in secret');
});
