/** The client's side of SCRAM-SHA-256, against the example of RFC 7677 and against servers that lie. */

import { expect, test } from '@jest/globals';
import { scramClient } from '../../src/base/index.ts';

const nonce = 'rOprNGfwEbeRWgbNEkqO';
const serverFirst = `r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;

test('the example of RFC 7677 §3', async () => {
  const client = scramClient('user', 'pencil', nonce);
  expect(client.first).toBe(`n,,n=user,r=${nonce}`);
  expect(await client.final(serverFirst)).toBe(
    `c=biws,r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
  );
  expect(client.believes('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toBe(true);
  expect(client.believes('v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toBe(false);
  for (const said of ['', 'v=', 'e=invalid-proof', 'v=AAAA']) expect(client.believes(said)).toBe(false);
});

test('names with commas and equals signs, and characters typed in two ways', async () => {
  expect(scramClient('a=b,c', 'x', 'n').first).toBe('n,,n=a=3Db=2Cc,r=n');
  const [one, two] = await Promise.all(
    ['ﬁne\u00a0pass', 'fine pass'].map((password) => scramClient('u', password, nonce).final(serverFirst)),
  );
  expect(one).toBe(two);
});

test.each([
  ['a nonce that is not longer than ours', `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`],
  ['a nonce of somebody else', 'r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
  ['few iterations', serverFirst.replace('4096', '1')],
  ['more iterations than anybody needs', serverFirst.replace('4096', '4000000000')],
  ['an extension that must be understood', `m=x,${serverFirst}`],
  ['rubbish', 'hello'],
  ['nothing', ''],
])('a server that sends %s is not answered', async (_, first) => {
  await expect(scramClient('user', 'pencil', nonce).final(first)).rejects.toThrow();
});

test('a server that has said nothing yet is not believed', () => {
  expect(scramClient('user', 'pencil').believes('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toBe(false);
});
