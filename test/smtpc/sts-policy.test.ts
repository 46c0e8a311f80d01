/** What is a record and a policy of MTA-STS, and what is none. */

import { expect, test } from '@jest/globals';
import { allowsMx, parseStsPolicy, type StsPolicy, stsId } from '../../src/smtpc/tls/sts-policy.ts';

test.each([
  [['v=STSv1; id=20160831085700Z;'], '20160831085700Z'],
  [['v=STSv1;id=1'], '1'],
  [['v=STSv1 ; id=abc ; ext=some/thing:here'], 'abc'],
  [['v=STSv1; ext=x; id=abc; id=other;'], 'abc'],
  [['v=spf1 -all', 'v=STSv1; id=7'], '7'],
  [[], undefined],
  [['v=STSv1; id=7', 'v=STSv1; id=7'], undefined],
  [['v=STSv1'], undefined],
  [['v=STSv1;'], undefined],
  [['V=STSv1; id=7'], undefined],
  [['v=STSv10; id=7'], undefined],
  [[' v=STSv1; id=7'], undefined],
  [['v=STSv1; id=a-b'], undefined],
  [['v=STSv1; id='], undefined],
  [[`v=STSv1; id=${'a'.repeat(33)}`], undefined],
  [['v=STSv1; id=7; nonsense'], undefined],
  [['v=STSv1; id=7;; a=b'], undefined],
  [['v=STSv1; id=7; ext=a=b'], undefined],
  [['v=STSv1; id=7\u0000'], undefined],
  [[`v=STSv1;${' '.repeat(60_000)}id=7`], undefined],
] as const)('%j has the id %j', (records, id) => {
  expect(stsId(records)).toBe(id);
});

const good = 'version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n';

test('a policy is read, with either line end, in any order, with what is unknown passed over', () => {
  const policy = { mode: 'enforce', mx: ['mail.example.com', '*.example.net'], maxAge: 604_800 };
  expect(parseStsPolicy(good)).toMatchObject(policy);
  expect(parseStsPolicy(good.replaceAll('\r', ''))).toMatchObject(policy);
  expect(parseStsPolicy(good.trimEnd())).toMatchObject(policy);
  expect(
    parseStsPolicy('max_age:604800 \nmx:mail.example.com\nnew-thing: with blanks: and Grüße\nmode: testing\t\nversion:STSv1'),
  ).toMatchObject({
    mode: 'testing',
    maxAge: 604_800,
  });
  expect(parseStsPolicy('version: STSv1\nmode: none\nmax_age: 0\n')).toMatchObject({ mode: 'none', mx: [], maxAge: 0 });
  expect(parseStsPolicy(good.replace('604800', '9999999999'))).toMatchObject({ maxAge: 31_557_600 });
  // Of a field given twice the first counts.
  expect(parseStsPolicy(`${good}mode: none\r\nmax_age: 5\r\n`)).toMatchObject(policy);
});

test.each([
  ['', 'version is missing'],
  ['<html></html>', 'line 1 is not'],
  [good.replace('STSv1', 'STSv2'), 'version is not STSv1'],
  [good.replace('version: STSv1\r\n', ''), 'version is missing'],
  [good.replace('enforce', 'Enforce'), 'mode is none of'],
  [good.replace('mode: enforce\r\n', ''), 'mode is missing'],
  [good.replace(/mx.*\r\n/g, ''), 'mx is missing'],
  [good.replace('604800', '-1'), 'max_age is not'],
  [good.replace('604800', '1e5'), 'max_age is not'],
  [good.replace('604800', '12345678901'), 'max_age is not'],
  [good.replace('max_age: 604800\r\n', ''), 'max_age is missing'],
  [good.replace('mail.example.com', 'mail.*.com'), 'line 3'],
  [good.replace('mail.example.com', '*'), 'line 3'],
  [good.replace('mail.example.com', '[192.0.2.1]'), 'line 3'],
  [good.replace('mail.example.com', 'mail.example.com.'), 'line 3'],
  [good.replace('mx: mail', 'mx : mail'), 'line 3 is not'],
  [good.replace('\r\nmode', '\r\n\r\nmode'), 'line 2 is not'],
  [good.replace('enforce', 'enforce\u0000'), 'line 2 is not'],
  [`\ufeff${good}`, 'line 1 is not'],
])('%j is no policy', (text, why) => {
  expect((parseStsPolicy(text) as { wrong: string }).wrong).toContain(why);
});

test('a host is allowed by its name, or by one label before a domain', () => {
  const policy = parseStsPolicy(good) as StsPolicy;
  const allowed = ['mail.example.com', 'MAIL.example.com.', 'a.example.net', 'A-1.EXAMPLE.NET'];
  const not = ['example.com', 'x.mail.example.com', 'example.net', 'a.b.example.net', 'aexample.net', 'mail.example.com.evil.test', ''];
  expect([...allowed, ...not].filter((host) => allowsMx(policy, host))).toEqual(allowed);
});
