/** Seeded rubbish against the listening door: the process lives, and other clients are served the whole time. */

import { expect, test } from '@jest/globals';
import { encodeRequest } from '../../src/ldap-wire/index.ts';
import { asserts, control, names, pages, postReadOid, preReadOid, sorts, subtreeOid } from '../support/ldap-controls.ts';
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
    encodeRequest(8, searchFor('(mail=*)'), [sorts([['cn', 'caseIgnoreOrderingMatch', true]]), pages(1), asserts('(dc=jade)')]),
    encodeRequest(9, { op: 'delete', dn: 'cn=none' }, [control(subtreeOid), control(preReadOid, names(['*', '+'])), asserts('(!(cn=*))')]),
    encodeRequest(10, { op: 'add', dn: 'cn=none', attributes: [{ name: 'cn', values: ['x'] }] }, [control(postReadOid, names(['cn']))]),
    encodeRequest(11, {
      op: 'bind',
      version: 3,
      name: '',
      method: { type: 'sasl', mechanism: 'PLAIN', credentials: Buffer.from('\0a\0b') },
    }),
    encodeRequest(12, { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: Buffer.from('300980016181016282016b', 'hex') }),
    encodeRequest(13, { op: 'extended', oid: '1.3.6.1.1.8', value: Buffer.from('3003020102', 'hex') }),
  ];
  const witness = await it.client();
  for (let n = 0; n < 600; n++) {
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
