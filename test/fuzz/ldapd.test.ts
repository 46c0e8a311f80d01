/** Seeded rubbish against the listening door: the process lives, and other clients are served the whole time. */

import { expect, test } from '@jest/globals';
import { encodeRequest } from '../../src/ldap-wire/index.ts';
import { openDoor, searchFor, simpleBind } from '../support/ldap-door.ts';

test('hundreds of broken conversations leave the door standing', async () => {
  const it = await openDoor();
  let seed = 42;
  const roll = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >>> 8) % below;
  };
  const corpus = [
    encodeRequest(1, simpleBind('mail=user1@jade.net,dc=jade,dc=net', 'secret1')),
    encodeRequest(2, searchFor('(|(mail=user1*)(cn=*))')),
    encodeRequest(3, { op: 'modify', dn: 'cn=none', modifications: [{ operation: 'add', attribute: { name: 'cn', values: ['x'] } }] }),
    encodeRequest(4, { op: 'abandon', target: 2 }),
    encodeRequest(5, { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined }),
    encodeRequest(6, { op: 'extended', oid: '1.3.6.1.4.1.1466.20037', value: undefined }),
    encodeRequest(7, { op: 'unbind' }),
  ];
  const witness = await it.client();
  for (let n = 0; n < 400; n++) {
    const octets = Buffer.concat(Array.from({ length: roll(4) + 1 }, () => corpus[roll(corpus.length)]!));
    for (let changes = roll(4); changes > 0; changes--) octets[roll(octets.length)] = roll(256);
    const client = await it.client();
    const sent = octets.subarray(0, roll(8) === 0 ? roll(octets.length) : octets.length);
    if (n % 3 === 0) {
      client.write(sent);
      client.socket.resetAndDestroy();
    } else {
      client.socket.end(sent);
      await client.closed;
    }
    if (n % 50 === 0) {
      witness.send(n + 1, searchFor('(mail=none)'));
      expect(await witness.next()).toMatchObject({ id: n + 1, body: { op: 'search', result: { code: 0 } } });
    }
  }
  await it.end();
});
