/**
 * What sessions cost that do nothing: resident memory and processor time with so many connections open.
 *
 *     npx tsx test/bench/sessions.ts [sessions [door …]]
 *
 * LDAP sessions are bound anonymously; SMTP sessions have said EHLO; IMAP sessions have logged in, selected INBOX and said IDLE. Clients come from many loopback
 * addresses, below the limits for one address. Needs the built server and as many open files as twice the sessions.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { administrator, cpuOf, memoryOf, password, prepareServer, runServer } from '../support/server.ts';

const wanted = Number(process.argv[2] ?? 4_000);
const atOnce = 20;
const addresses = 200;

type Step = readonly [say: string, expected: RegExp];

const scripts = {
  // An anonymous bind, and its answer.
  ldap: [['0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\x00\x80\x00', /^0\x0c\x02\x01\x01a/]],
  smtp: [
    ['', /^220 /],
    ['EHLO bench.example.net\r\n', /^250 /m],
  ],
  imap: [
    ['', /^\* OK/],
    [`a LOGIN user1 ${password}\r\n`, /^a OK/m],
    ['b SELECT INBOX\r\n', /^b OK/m],
    ['c IDLE\r\n', /^\+/m],
  ],
} as const satisfies Record<string, readonly Step[]>;

async function open(port: number, localAddress: string, steps: readonly Step[]): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  for (const [say, expected] of steps) {
    if (say) socket.write(say, 'latin1');
    for (let text = ''; !expected.test(text); ) text += String((await once(socket, 'data'))[0]);
  }
  return socket;
}

const files = await prepareServer();
const server = await runServer(files);
try {
  const client = await administrator(files);
  const values = [String(2 * wanted)];
  const limit = (entry: string, attribute: string): Promise<unknown> =>
    client.modify(parseDn(`${entry},cn=mailtree`), [{ operation: 'replace', attribute: { name: attribute, values } }]);
  await limit('cn=smtpd', 'mtSmtpdMaxSessions');
  await limit('cn=ldapd', 'mtLdapdMaxConnections');
  client.close();
  await sleep(2_000);
  const doors = process.argv.slice(3);
  for (const [door, steps] of Object.entries(scripts).filter(([name]) => doors.length === 0 || doors.includes(name))) {
    const before = memoryOf(server.pid);
    const sockets: Socket[] = [];
    while (sockets.length < wanted) {
      const some = Array.from({ length: atOnce }, (_, n) => `127.0.0.${2 + ((sockets.length + n) % addresses)}`);
      sockets.push(...(await Promise.all(some.map((address) => open(files.ports[door as keyof typeof scripts], address, steps)))));
    }
    await sleep(5_000);
    const [memory, cpu] = [memoryOf(server.pid), cpuOf(server.pid)];
    await sleep(10_000);
    const each = ((memory - before) * 1024) / sockets.length;
    const busy = (cpuOf(server.pid) - cpu) * 100;
    console.log(
      `${door}: ${sockets.length} sessions, ${before.toFixed(0)} → ${memory.toFixed(0)} MB resident, ${each.toFixed(1)} KB each; idle ${busy.toFixed(0)} ms CPU in a second`,
    );
    for (const socket of sockets) socket.destroy();
    await sleep(3_000);
  }
} finally {
  await server.stop();
  await files.remove();
}
