/**
 * Seeded mutations over valid input: every parser answers with a value or a Fault, never with anything else, and what it accepts
 * survives being written and read again.
 */

import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  Framer,
  formatFilter,
  formatLdifRecord,
  parseDn,
  parseFilter,
  parseLdif,
  type Request,
  readLdifTolerant,
} from '../../src/ldap-wire/index.ts';

/** A small generator with a seed (mulberry32): the same run every time. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

const interesting = [0x00, 0x01, 0x04, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xa2, 0xa3, 0xff];

function mutateOctets(octets: Buffer, roll: (below: number) => number): Buffer {
  let out = Buffer.from(octets);
  for (let n = roll(4) + 1; n > 0; n--) {
    const at = roll(out.length + 1);
    const kind = roll(5);
    if (kind === 0 && out.length > 0) out[at % out.length] = roll(256);
    else if (kind === 1 && out.length > 0) out[at % out.length] = interesting[roll(interesting.length)]!;
    else if (kind === 2) out = Buffer.concat([out.subarray(0, at), out.subarray(Math.min(out.length, at + roll(6)))]);
    else if (kind === 3) out = Buffer.concat([out.subarray(0, at), Buffer.from([roll(256)]), out.subarray(at)]);
    else out = Buffer.concat([out.subarray(0, at), out.subarray(roll(out.length + 1))]);
  }
  return out.subarray(0, 4_096);
}

const letters = 'abz019=,+;<>#"\\ ()&|!*:.\n\r\u0000-äß日\u200b\ud800';
function mutateText(text: string, roll: (below: number) => number): string {
  let out = text;
  for (let n = roll(4) + 1; n > 0; n--) {
    const at = roll(out.length + 1);
    const kind = roll(4);
    if (kind === 0) out = out.slice(0, at) + out.slice(at + roll(4));
    else if (kind === 1) out = out.slice(0, at) + letters[roll(letters.length)] + out.slice(at);
    else if (kind === 2) out = out.slice(0, at) + out.slice(roll(out.length + 1));
    else out = out.slice(0, at) + letters[roll(letters.length)] + out.slice(at + 1);
  }
  return out.slice(0, 2_000);
}

/** The result, or undefined where it was refused with a Fault that is no bug. */
function orRefused<T>(run: () => T, input: unknown): T | undefined {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind !== 'bug' && thrown.say.length > 0) return undefined;
    throw new Error(`unexpected on ${JSON.stringify(input)}`, { cause: thrown });
  }
}

const filter = parseFilter('(&(objectClass=person)(|(cn=a*b*c)(!(sn>=x)))(o:dn:2.5.13.2:=y)(mail=*))');
const requests: Request[] = [
  { op: 'bind', version: 3, name: 'cn=a', method: { type: 'simple', password: Buffer.from('x') } },
  { op: 'bind', version: 3, name: '', method: { type: 'sasl', mechanism: 'EXTERNAL', credentials: Buffer.from('c') } },
  { op: 'unbind' },
  {
    op: 'search',
    base: 'dc=net',
    scope: 'sub',
    derefAliases: 0,
    sizeLimit: 300,
    timeLimit: 5,
    typesOnly: false,
    filter,
    attributes: ['*', 'cn'],
  },
  {
    op: 'modify',
    dn: 'cn=a',
    modifications: [{ operation: 'replace', attribute: { name: 'cn', values: ['x'.repeat(200), Uint8Array.of(255)] } }],
  },
  { op: 'add', dn: 'cn=ä', attributes: [{ name: 'cn', values: ['ä', 'b'] }] },
  { op: 'delete', dn: 'cn=a' },
  { op: 'rename', dn: 'cn=a', rdn: 'cn=b', deleteOldRdn: true, newSuperior: 'dc=net' },
  { op: 'compare', dn: 'cn=a', attribute: 'cn', value: Buffer.from('a') },
  { op: 'abandon', target: 7 },
  { op: 'extended', oid: '1.2.3', value: Buffer.from('v') },
];
const controls = [{ oid: '1.2.3', critical: true, value: Uint8Array.of(1, 2) }];

test('mutated requests are decoded or refused, and what is decoded is written back the same', () => {
  const roll = dice(20_301);
  const corpus = requests.flatMap((request, n) => [encodeRequest(n + 1, request), encodeRequest(n + 300, request, controls)]);
  let accepted = 0;
  for (let n = 0; n < 30_000; n++) {
    const octets = mutateOctets(corpus[roll(corpus.length)]!, roll);
    const message = orRefused(() => decodeRequest(octets), octets.toString('hex'));
    if (!message) continue;
    accepted++;
    if (message.body.op === 'bind' && message.body.method.type === 'unknown') continue;
    expect(decodeRequest(encodeRequest(message.id, message.body, message.controls))).toEqual(message);
  }
  expect(accepted).toBeGreaterThan(1_000);
});

test('mutated responses are decoded or refused', () => {
  const roll = dice(4_711);
  const result = { code: 32, matched: 'dc=net', diagnostic: 'x', referral: ['ldap://jade.net/'] };
  const corpus = [
    encodeResponse(1, { op: 'entry', dn: 'cn=a', attributes: [{ name: 'cn', values: ['a', 'b'] }] }, controls),
    encodeResponse(2, { op: 'search', result }),
    encodeResponse(3, { op: 'extended', result, oid: '1.2.3', value: Buffer.from('v') }),
    encodeResponse(4, { op: 'bind', result, credentials: Buffer.from('v') }),
    encodeResponse(5, { op: 'intermediate', oid: '1.2.3', value: Buffer.from('v') }),
    encodeResponse(6, { op: 'reference', urls: ['ldap://jade.net/'] }),
  ];
  for (let n = 0; n < 15_000; n++) {
    const octets = mutateOctets(corpus[roll(corpus.length)]!, roll);
    orRefused(() => decodeResponse(octets), octets.toString('hex'));
  }
});

test('a mutated stream in pieces of any size gives the same messages as in one', () => {
  const roll = dice(815);
  const corpus = Buffer.concat(requests.map((request, n) => encodeRequest(n + 1, request)));
  const frames = (pieces: Buffer[]): string[] => {
    const framer = new Framer();
    const out: string[] = [];
    try {
      for (const piece of pieces) {
        framer.push(piece);
        for (let frame = framer.next(2_000); frame; frame = framer.next(2_000)) out.push(frame.toString('hex'));
      }
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      out.push(thrown.say);
    }
    return out;
  };
  for (let n = 0; n < 1_000; n++) {
    const octets = mutateOctets(corpus, roll);
    const pieces: Buffer[] = [];
    for (let at = 0; at < octets.length; ) {
      const size = roll(40) + 1;
      pieces.push(octets.subarray(at, at + size));
      at += size;
    }
    expect(frames(pieces)).toEqual(frames([octets]));
  }
});

test('mutated names are read or refused, and keep their key when written', () => {
  const roll = dice(99);
  const corpus = ['mail=user1@jade.net,dc=jade,dc=net', 'cn=a\\,b+ou=\\C3\\A4,dc=#04024869', 'cn=\\ x\\ ,o= a  b ;', '2.5.4.3=ä"'];
  for (let n = 0; n < 20_000; n++) {
    const text = mutateText(corpus[roll(corpus.length)]!, roll).replace(/\p{Cs}/gu, '?');
    const dn = orRefused(() => parseDn(text), text);
    if (!dn) continue;
    expect([text, parseDn(dn.toString()).key]).toEqual([text, dn.key]);
    expect(dn.rdns.length === 0 || dn.isWithin(dn.parent!)).toBe(true);
  }
});

test('mutated filters are read or refused, and survive writing', () => {
  const roll = dice(7);
  const corpus = [formatFilter(filter), '(cn=\\2a*ä)', '(|(a~=b)(c<=d)(:dn:1.2:=x))'];
  for (let n = 0; n < 20_000; n++) {
    const text = mutateText(corpus[roll(corpus.length)]!, roll);
    const parsed = orRefused(() => parseFilter(text), text);
    if (parsed) expect(formatFilter(parseFilter(formatFilter(parsed)))).toBe(formatFilter(parsed));
  }
});

test('mutated LDIF is read or refused, and survives writing', () => {
  const roll = dice(31);
  const corpus = [
    'version: 1\n\ndn: cn=a\ncn: a\n b\njpegPhoto:: /9j/\n\ndn: cn=b\nchangetype: modify\nadd: cn\ncn: x\n-\n',
    'dn:: Y249YQ==\ncontrol: 1.2 true: x\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: 0\nnewsuperior: dc=x\n',
  ];
  for (let n = 0; n < 10_000; n++) {
    const text = mutateText(corpus[roll(corpus.length)]!, roll).replace(/\p{Cs}/gu, '?');
    const records = orRefused(() => parseLdif(text), text);
    for (const record of records ?? []) {
      const written = formatLdifRecord(record);
      expect(formatLdifRecord(parseLdif(written)[0]!)).toBe(written);
    }
  }
});

test('mutated octets of LDIF in pieces of any size give the same records and complaints as in one', async () => {
  const roll = dice(4_242);
  const corpus = [
    'version: 1\r\n# comment\r\n  goes on\r\n\r\ndn: cn=a\r\ncn: gr\u00f6\u00dfe\r\n  folded\r\ncn;lang-de:: w7w=\r\nphoto:< file:///x\r\n',
    '\ufeffdn: cn=a\nchangetype: modify\nadd: cn\ncn: x\n-\nincrement: n\nn: 1\n-\ndelete: sn\n-\n\n\n#\n\ndn: cn=b\nchangetype: delete\n',
    'dn: cn=a\ncontrol: 1.2.3 true:: YQ==\nchangetype: moddn\nnewrdn: cn=b\ndeleteoldrdn: 1\nnewsuperior:: Y249eA==',
  ].map((text) => Buffer.from(text));
  const read = async (pieces: Buffer[]): Promise<string[]> => {
    const found: string[] = [];
    for await (const record of readLdifTolerant(pieces, { maxRecord: 400, load: () => Buffer.from('loaded') }))
      found.push(record.kind === 'broken' ? `${record.fault.kind} ${record.fault.say}` : `${record.line} ${formatLdifRecord(record)}`);
    return found;
  };
  let sound = 0;
  for (let n = 0; n < 4_000; n++) {
    const octets = mutateOctets(Buffer.concat([corpus[roll(corpus.length)]!, Buffer.from('\n\n'), corpus[roll(corpus.length)]!]), roll);
    const pieces: Buffer[] = [];
    for (let at = 0; at < octets.length; ) {
      const size = roll(40) + 1;
      pieces.push(octets.subarray(at, at + size));
      at += size;
    }
    const whole = await read([octets]);
    expect(await read(pieces)).toEqual(whole);
    expect(
      whole.filter((line) => line.startsWith('bug') || line.includes('\u0000') || /^(malformed|refused|too-large) .*\n/.test(line)),
    ).toEqual([]);
    sound += whole.filter((line) => /^\d/.test(line)).length;
  }
  expect(sound).toBeGreaterThan(1_000);
});
