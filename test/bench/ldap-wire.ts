/**
 * Costs of the LDAP codec and of the door, in microseconds of one core. Run: npx tsx test/bench/ldap-wire.ts
 * The door's figure has client and server in one process, lock-step on one connection, over a directory in memory.
 */

import { Entry } from '../../src/directory/index.ts';
import { decodeRequest, encodeRequest, encodeResponse, Framer, parseDn, parseFilter, parseLdif } from '../../src/ldap-wire/index.ts';
import { openDoor, searchFor } from '../support/ldap-door.ts';

function measure(name: string, count: number, run: () => unknown): void {
  for (let n = 0; n < count / 5; n++) run();
  const began = performance.now();
  for (let n = 0; n < count; n++) run();
  console.log(`${name.padEnd(44)} ${(((performance.now() - began) * 1000) / count).toFixed(2).padStart(8)} µs`);
}

async function door(): Promise<void> {
  const it = await openDoor();
  const client = await it.client();
  client.socket.setNoDelay(true);
  const request = encodeRequest(1, searchFor('(mail=user1@jade.net)'));
  const round = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      client.write(request);
      await client.next();
      await client.next();
    }
  };
  await round(5_000);
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const count = 20_000;
  await round(count);
  const used = process.cpuUsage(cpu);
  console.log(
    `search over the door, lock-step: ${Math.round((count / (performance.now() - began)) * 1000)} a second, ` +
      `${((used.user + used.system) / count).toFixed(1)} µs CPU for client and server together`,
  );
  await it.end();
}

async function main(): Promise<void> {
  const search = encodeRequest(7, searchFor('(mail=user1@jade.net)'));
  const deep = encodeRequest(7, searchFor(`(&(objectClass=person)${'(|(cn=a*b)(sn>=x)(!(mail=*)))'.repeat(20)})`));
  const entry = new Entry(parseDn('mail=user1@jade.net,dc=jade,dc=net'), [
    { name: 'objectClass', values: ['top', 'person', 'organizationalPerson', 'inetOrgPerson'] },
    { name: 'cn', values: ['Üser'] },
    { name: 'mail', values: ['user1@jade.net'] },
  ]);
  const response = { op: 'entry', dn: entry.dn.toString(), attributes: [...entry.attributes.values()] } as const;
  const ldif = `dn: mail=user1@jade.net,dc=jade,dc=net\nobjectClass: top\nobjectClass: inetOrgPerson\ncn: a\nsn: b\nmail: user1@jade.net\n\n`;
  measure('decode an equality search', 200_000, () => decodeRequest(search));
  measure('decode a search with 81 components', 20_000, () => decodeRequest(deep));
  measure('encode an equality search', 200_000, () => encodeRequest(7, searchFor('(mail=user1@jade.net)')));
  measure('encode an entry of three attributes', 200_000, () => encodeResponse(7, response));
  measure('parse a name and make its key', 200_000, () => parseDn('mail=user1@jade.net,dc=jade,dc=net').key);
  measure('parse a filter', 200_000, () => parseFilter('(&(objectClass=person)(mail=user1@jade.net))'));
  measure('parse an LDIF record of five attributes', 50_000, () => parseLdif(ldif));
  const framer = new Framer();
  measure('frame a message', 500_000, () => {
    framer.push(search);
    return framer.next(65_536);
  });
  await door();
}

await main();
