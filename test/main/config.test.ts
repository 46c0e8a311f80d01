import { resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { parseConfig } from '../../src/main/index.ts';

const say = (text: string): string => {
  try {
    parseConfig(text, 'test.yaml');
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown.say;
    throw thrown;
  }
  return 'accepted';
};

test.each([
  ['data: ./x\nport: 25\n', 'test.yaml:2: unknown key "port" in the file'],
  ['listen:\n  ldap: 127.0.0.1:389\n  gopher: 127.0.0.1:70\n', 'test.yaml:3: unknown key "gopher" in listen'],
  ['listen:\n  smtp: 127.0.0.1\n', 'test.yaml:2: smtp must be "off" or address:port'],
  ['listen:\n  smtp: 127.0.0.1:65536\n', 'test.yaml:2: smtp must be "off" or address:port'],
  ['listen:\n  smtp: 300.0.0.1:25\n', 'test.yaml:2: smtp must be "off" or address:port'],
  ['listen: 25\n', 'test.yaml:1: listen must hold keys and values'],
  ['- a\n', 'test.yaml:1: the file must hold keys and values'],
  ['data: [a]\n', 'test.yaml:1: data must be a single value'],
  ['data: 5\n', 'test.yaml:1: data must be text'],
  ['host: "bad host"\n', 'test.yaml:1: host must be a host or domain name'],
  ['domain: x..y\n', 'test.yaml:1: domain must be a host or domain name'],
  ['example: maybe\n', 'test.yaml:1: example must be true or false'],
  ['admin: { password: abc }\n', 'test.yaml:1: password must have at least 6 characters'],
  ['examplePassword: abc\n', 'test.yaml:1: examplePassword must have at least 6 characters'],
  ['admin: { name: root }\n', 'test.yaml:1: unknown key "name" in admin'],
  ['dns: 127.0.0.1:53\n', 'test.yaml:1: dns must be a list'],
  ['dns:\n  - 127.0.0.1:53\n  - nameserver\n', 'test.yaml:3: dns must be a list'],
  [`listen:\n  ldapi: /${'x'.repeat(120)}\n`, 'test.yaml:2: ldapi: the path of a Unix socket must not be longer'],
  ['data: a\ndata: b\n', 'test.yaml:2: Map keys must be unique'],
  ['suffixes: o=Example\n', 'test.yaml:1: suffixes must be a list of distinguished names'],
  ['suffixes:\n  - o=Example,c=US\n  - Example\n', 'test.yaml:3: suffixes: "Example": invalid DN at position 0'],
  ['suffixes: [""]\n', 'test.yaml:1: suffixes must be a list of distinguished names'],
  ['suffixes:\n  - "o=Example, c=US"\n  - C=us\n', 'test.yaml:3: suffixes: "C=us" and "o=Example,c=US" stand one below the other'],
  ['suffixes: [cn=mailtree]\n', 'suffixes: "cn=mailtree" and the base "cn=mailtree" stand one below the other'],
  ['schema: 5\n', 'test.yaml:1: schema must be text'],
  ['data: "unclosed\n', 'test.yaml:'],
])('%j is refused with file, line and rule', (text, expected) => {
  expect(say(text)).toContain(expected);
});

test('a password that looks like a number is taken as it is written', () => {
  for (const written of ['123456', '007007', '1e1000', '0x1234', '1.5000'])
    expect(parseConfig(`admin: { password: ${written} }\n`, 'x').adminPassword).toBe(written);
});

test('an empty file means: everything off, data in ./data', () => {
  const config = parseConfig('', 'x');
  expect(config.listen.smtp).toBe('off');
  expect(config.data).toBe(resolve('data'));
  expect(config.systemBase).toBe('cn=mailtree');
});

test('further suffixes are names, whatever levels they have', () => {
  expect(parseConfig('suffixes:\n  - o=University of Michigan, c=US\n  - dc=example,dc=com\n', 'x').suffixes).toEqual([
    'o=University of Michigan,c=US',
    'dc=example,dc=com',
  ]);
  expect(parseConfig('schema: ./own\n', 'x').schema).toBe(resolve('own'));
});

test('places are read in all their forms', () => {
  const { listen, dns } = parseConfig(
    'listen: { smtp: "[::1]:25", imap: "*:143", pop3: localhost:110, imaps: off, ldapi: ./run/ldapi }\ndns: ["127.0.0.1:5353", "::1"]\n',
    'x',
  );
  expect(listen).toMatchObject({
    smtp: { host: '::1', port: 25 },
    imap: { host: '::', port: 143 },
    pop3: { host: 'localhost', port: 110 },
    imaps: 'off',
    ldapi: resolve('run/ldapi'),
  });
  expect(dns).toEqual(['127.0.0.1:5353', '[::1]:53']);
});
