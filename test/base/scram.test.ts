import { expect, test } from '@jest/globals';
import { readClientFinal, readClientFirst, serverFirst } from '../../src/base/index.ts';

test('the example of RFC 7677 is read and written as it stands there', () => {
  const first = readClientFirst('n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
  expect(first).toEqual({ header: 'n,,', bare: 'n=user,r=rOprNGfwEbeRWgbNEkqO', name: 'user', nonce: 'rOprNGfwEbeRWgbNEkqO' });
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
  expect(serverFirst(nonce, salt, 4096)).toBe(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`);
  const final = readClientFinal(`c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`, 'n,,');
  expect(final).toMatchObject({ withoutProof: `c=biws,r=${nonce}`, nonce });
  expect(Buffer.from(final?.proof ?? []).toString('base64')).toBe('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=');
});

test.each([
  ['y,,n=user,r=abc', 'user'],
  ['n,a=user,n=user,r=abc', 'user'],
  ['n,,n=a=2Cb=3Dc,r=abc', 'a,b=c'],
  ['n,,n=jürgen@jade.example,r=abc', 'jürgen@jade.example'],
  ['n,a=other,n=user,r=abc', undefined],
  ['p=tls-unique,,n=user,r=abc', undefined],
  ['n,,m=x,n=user,r=abc', undefined],
  ['n,,n=a=b,r=abc', undefined],
  ['n,,n=,r=abc', undefined],
  ['n,,n=user,r=', undefined],
  ['n,,n=user,r=a\u0000b', undefined],
  ['n,,n=us\u0000er,r=ab', undefined],
  ['n=user,r=abc', undefined],
  ['', undefined],
  [`n,,n=user,r=${'x'.repeat(5_000)}`, undefined],
])('%j is from %s', (text, name) => {
  expect(readClientFirst(text)?.name).toBe(name);
});

test.each([
  ['c=eSws,r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'another header than at first'],
  ['c=biws,r=abc,p=short', 'a proof that is none'],
  ['c=biws,r=abc', 'no proof'],
  ['r=abc,c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'the wrong order'],
])('%s has %s', (text) => {
  expect(readClientFinal(text, 'n,,')).toBeUndefined();
});
