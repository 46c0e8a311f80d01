import { expect, test } from '@jest/globals';
import { parseArguments } from '../../src/cli/sendmail-arguments.ts';
import { senderFor } from '../../src/cli/sendmail-sender.ts';

const plain = {
  ...{ mode: 'submit', recipients: [], sender: undefined, fullName: undefined, fromHeaders: false, dotEnds: true },
  ...{ verbose: false, chosen: undefined },
  ...{ notify: undefined, ret: undefined, envelopeId: undefined, config: undefined },
};

test.each([
  [['a@b.example'], { recipients: ['a@b.example'] }],
  [['a@b.example,c@d.example', 'é@f.example'], { recipients: ['a@b.example', 'c@d.example', 'é@f.example'] }],
  [['-f', 'x@y.example', 'a'], { sender: 'x@y.example', recipients: ['a'] }],
  [['-fx@y.example', 'a'], { sender: 'x@y.example', recipients: ['a'] }],
  [['-r', 'x', 'a'], { sender: 'x', recipients: ['a'] }],
  [['-f', '<>', 'a'], { sender: '', recipients: ['a'] }],
  [['-t', '-oi'], { fromHeaders: true, dotEnds: false }],
  [['-i', '-t', '-F', 'Full Name', '-oem', '-bm'], { fromHeaders: true, dotEnds: false, fullName: 'Full Name' }],
  [['-FCronDaemon', '-odi', '-oem', '-oi', '-t'], { fromHeaders: true, dotEnds: false, fullName: 'CronDaemon' }],
  [['-q15m', '-v', 'a'], { recipients: ['a'], verbose: true }],
  [['-it'], { fromHeaders: true, dotEnds: false }],
  [['-ti', '-f', ''], { fromHeaders: true, dotEnds: false, sender: '' }],
  [['-vtf', 'x@y.example'], { fromHeaders: true, verbose: true, sender: 'x@y.example' }],
  [['-o', 'i', '-O', 'DeliveryMode=b', '-O', 'QueueDirectory=/var', 'a'], { dotEnds: false, recipients: ['a'] }],
  [['-OIgnoreDots=True', 'a'], { dotEnds: false, recipients: ['a'] }],
  [
    ['-A', 'c', '-C', '/etc/x.cf', '-e', 'm', '-X', '/tmp/x', '-D', '/tmp/y', '-L', 'tag', '-p', 'SMTP:h', '-h', '3', 'a'],
    { recipients: ['a'] },
  ],
  [['-B8BITMIME', '-G', '-U', '-n', '-m', '-d0.1', '-Zfoo', '-QWhy', 'a'], { recipients: ['a'] }],
  [['User One <a@b.example>', '"C, D" <c@d.example> (x)'], { recipients: ['a@b.example', 'c@d.example'] }],
  [['"a b"@c.example', '@x.example:e@f.example'], { recipients: ['"a b"@c.example', 'e@f.example'] }],
  [['-qf'], { mode: 'run' }],
  [['-qRyahoo.com'], { mode: 'run', chosen: { by: 'recipient', text: 'yahoo.com' } }],
  [['-qSann'], { mode: 'run', chosen: { by: 'sender', text: 'ann' } }],
  [['-qI01m8ar'], { mode: 'run', chosen: { by: 'ids', text: '01m8ar' } }],
  [['-bs', '-odb', '-oem'], { mode: 'smtp' }],
  [['-bv', 'a', 'b'], { mode: 'verify', recipients: ['a', 'b'] }],
  [['-N', 'never', '-R', 'hdrs', 'a'], { recipients: ['a'], notify: ['never'], ret: 'hdrs' }],
  [
    ['-Nfailure,SUCCESS', '-RFULL', '-VQQ314159', 'a'],
    { recipients: ['a'], notify: ['success', 'failure'], ret: 'full', envelopeId: 'QQ314159' },
  ],
  [['-q'], { mode: 'run' }],
  [['-bp', '-v'], { mode: 'queue', verbose: true }],
  [['-bi'], { mode: 'nothing' }],
  [['--help'], { mode: 'help' }],
  [['--', '-strange@b.example'], { recipients: ['-strange@b.example'] }],
  [['--config', 'f.yaml', 'a'], { config: 'f.yaml', recipients: ['a'] }],
  [['--config=f.yaml', 'a'], { config: 'f.yaml', recipients: ['a'] }],
])('%j is understood', (args, expected) => {
  expect(parseArguments(args)).toEqual({ ...plain, ...expected });
});

test.each([
  [['-bt'], 'mailtree explain'],
  [['-bd'], 'mailtree start'],
  [['-b'], '-b is not done'],
  [['-bz'], '-bz is not done'],
  [['-f'], 'needs an address'],
  [['-N', 'never,delay'], 'never stands alone'],
  [['-N', 'sometimes'], 'sometimes is none of'],
  [['-R', 'half'], 'neither full nor hdrs'],
  [['-q!Ryahoo.com'], 'not done'],
  [['-qR'], 'not done'],
])('%j is refused', (args, why) => {
  expect(() => parseArguments(args)).toThrow(why);
});

test.each([
  ['anna', 1001, undefined, 'anna@jade.net'],
  ['anna', 1001, 'anna', 'anna'],
  ['anna', 1001, 'Anna@JADE.net', 'Anna@JADE.net'],
  ['root', 0, 'cron@onyx.net', 'cron@onyx.net'],
  ['daemon', 1, '', ''],
  ['network', 77, 'x@y.example', 'x@y.example'],
  ['mailtree', 500, 'x@y.example', 'x@y.example'],
])('%s (%d) sends as %s', (name, uid, wanted, sender) => {
  expect(senderFor({ name, uid }, 'jade.net', wanted, 500)).toBe(sender);
});

test.each(['bart@jade.net', 'anna@onyx.net', 'bart', '', 'anna@jade.net.evil.example'])(
  'an ordinary user does not send as "%s"',
  (wanted) => {
    expect(() => senderFor({ name: 'anna', uid: 1001 }, 'jade.net', wanted, 500)).toThrow('no trusted user');
  },
);
