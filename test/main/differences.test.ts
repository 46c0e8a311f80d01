import { expect, test } from '@jest/globals';
import { parseConfig } from '../../src/main/config.ts';
import { differences } from '../../src/main/differences.ts';

const config = parseConfig('host: mx.a.example\ndomain: a.example\nlisten:\n  smtp: 127.0.0.1:2525\n  imap: "*:2143"\n', 'test.yaml');
const off = { submission: 'off', smtps: 'off', imaps: 'off', pop3: 'off', pop3s: 'off' };

test('a file and a directory that agree have no differences, however a place is written', () => {
  expect(differences(config, { host: 'MX.a.example', domain: 'a.example', smtp: '127.0.0.1:2525', imap: '[::]:2143', ...off })).toEqual([]);
});

test('what differs is named with both values and with what counts', () => {
  const lines = differences(config, { host: 'mx.b.example', domain: 'a.example', smtp: 'off', imap: '*:2143', ...off });
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/host: mx\.a\.example, the directory has mtHostName: mx\.b\.example; the directory counts$/);
  expect(lines[1]).toMatch(/listen\.smtp: 127\.0\.0\.1:2525, the directory has mtSmtpListen: off; the directory counts$/);
});
