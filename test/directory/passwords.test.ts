import { pbkdf2Sync } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import {
  type Actor,
  type Change,
  type Hasher,
  inlineHasher,
  parseScram,
  passwordText,
  system,
  workerHasher,
} from '../../src/directory/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, refusal, root, settings } from './support.ts';

const name = dn('mail=user1@jade.net,dc=jade,dc=net');
const from = { door: 'test', address: '192.0.2.1' };
let opened: Opened;
let checks = 0;
const counting: Hasher = {
  ...inlineHasher,
  check: (password, stored) => {
    checks += 1;
    return inlineHasher.check(password, stored);
  },
};
beforeEach(async () => {
  opened = await openTemporary({ hasher: counting });
  await fill(opened.directory);
  checks = 0;
});
afterEach(() => opened.close());

const login = (password: string, who = name, where = from): Promise<Actor> => opened.directory.authenticate(who, password, where);
const set = (attribute: string, ...values: string[]): Promise<unknown> =>
  opened.directory.modify(root, name, [{ operation: 'replace', attribute: { name: attribute, values } }]);
const stored = async (): Promise<string[]> => ((await opened.directory.readAll(name))?.values('userPassword') ?? []).map(passwordText);
const settle = async (ready: () => Promise<boolean>): Promise<void> => {
  while (!(await ready())) await new Promise((resolve) => setImmediate(resolve));
};

// All of these are the same password, made with other programs.
const password = 'correct horse';
const imported = [
  '{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=',
  '{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==',
  '{SSHA256}YflVcOMs6k7tbGkQbQNVn6/ehAnUAVltiLPKHBWGi2tzYWx0c2FsdA==',
  '{SSHA512}50rsRNBf8j3I5xE+QwaHdFyMhOzITssZ8BB3UxwQ+SI1JKygYm6ZeRYTDuUyFZIIqDonoTuXwB0Z/MAPhgQCFHNhbHRzYWx0',
  '{SMD5}Z/zaJ2M7Khrn3AWg16utq3NhbHRzYWx0',
  '{CRYPT}$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80',
  '{CRYPT}$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB',
  '{CRYPT}$6$abcdefgh$yIZAF3gQPvtKZO/9qOJKffAKKbtS3ef3qmwyugk4uWVjX8YZf/GV3A8SkFxEPY0T56CcilGrHKLffBsp6dLMG.',
  '{CRYPT}$2a$05$lbRiWQYKeBRzwDXMDTvlneTvwPcmyP4HSLxHwSbNaGTKkUEMqnNFq',
  '{PBKDF2-SHA256}1000$c2FsdHNhbHQ$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0',
  '{PBKDF2-SHA512}1000$c2FsdHNhbHQ$.sUSD8jw4f8ns7m9b7kj8PeJLe8lJXO8Am09BLgO79kST9D/Ija5aKINGF5Xg7hkKXw1.fNhBzzJP3eIXcWXww',
  '{PBKDF2}1000$c2FsdHNhbHQ$wQoBU7GXMNo2CJC.raijrf6key4',
  '{ARGON2}$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHQ$IWJR6forQfRjS4Y1mffdqnUx3GwYyJwSZsDZt9LHzUM',
  '{crypt}$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80',
  // The first eight characters alone count.
  '{CRYPT}abhfCpXqd4GrI',
  // doveadm pw
  '{BLF-CRYPT}$2y$05$HZQ9PWeUoKrCKGWs6MYwaOQ7TuU4J6wg5aqj.manklndS3CJWzDTe',
  '{SHA512-CRYPT}$6$L2FYaG33kJF9WVYf$UWZp8lS6Y3eT3T4pbq94/oaRIPexYrkD7kl7r5LcWLklIwHSPWSket.OXMwJdOU/TTNVn0yTHoPZoeFD8t9bd.',
  '{SHA256-CRYPT}$5$uwAukgANwK2KpjEQ$zO9ZSRXhl9tzzj4Hquu3t1L4O9FkPr0Hf5BAywFvQV5',
  '{MD5-CRYPT}$1$mkQIODMv$QzbxqnFHPGJubKaLuokC31',
  '{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$DvfH8NZSrkAJvZdviLEqdw$xn2iwdT8x13HOMkfYycS4nHN8dq1JKmDQe0W8aRqaT4',
  '{PBKDF2}$1$8VzfDPLioK0N9Ua1$5000$27e1825f666781e6cd8b1b86e6aa8e4468c8415c',
  '{SSHA256}nuHC1uZ9qbnzN3aojYgeVDkdOO1e6H78UYzxcxqV18L8LZhe',
  '{SSHA512}w4oaH2n+/pdfhxHDnAd1yunkBpnVpSojkKFovVNdeTHEUL9ofIZ4HZYIXI3QOmfLkoHGVYHBnwNYvKBvNkul91hjISI=',
  '{SHA512}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==',
  // slappasswd
  '{SSHA}h737Jfce5z6xX9gNDdJ4BEDxIoiBapvq',
  '{SMD5}wdPYO6Ydq7ZSRwcWKEokz9SkMz0=',
  '{MD5}PLTnMmMfR+brlh80VUt83g==',
];

test.each(imported)('%s lets its password in, and gains a verifier by it', async (form) => {
  await set('userPassword', form);
  expect(await stored()).toEqual([form]);
  expect(await refusal(login('wrong horse'))).toContain('invalidCredentials');
  expect(await stored()).toEqual([form]);
  expect((await login(password)).dn?.key).toBe(name.key);
  await settle(async () => (await stored())[0] !== form);
  expect((await stored())[0]).toMatch(/^\{SCRAM-SHA-256\}4096:/);
  expect((await login(password)).dn?.key).toBe(name.key);
});

const hostile = [
  '{SSHA}',
  '{SSHA}%%%',
  '{SSHA256}YQ==',
  '{SCRAM-SHA-256}4096:c2FsdA==$short:short',
  '{SCRAM-SHA-256}99999999:c2FsdHNhbHQ=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  '{CRYPT}',
  '{CRYPT}$9$x$y',
  '{CRYPT}$6$rounds=999999999$salt$hash',
  '{CRYPT}$2b$31$abcdefghijklmnopqrstuuMV9JKqhT1iJp1dZbp1qYkEwVoYXF5u.',
  '{PBKDF2-SHA256}1000000000$c2FsdHNhbHQ$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0',
  '{PBKDF2-SHA256}1000',
  '{ARGON2}$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$IWJR6forQfRjS4Y1mffdqnUx3GwYyJwSZsDZt9LHzUM',
  '{ARGON2}nonsense',
];

test('a SCRAM verifier in the form of Dovecot is checked as it is', async () => {
  const verifier =
    '{SCRAM-SHA-256}4096,Asi0krO3uP3mgQWl2L17Zw==,Acwf3YU25ASuPX2Qf+nbj+3dys83nXhxddv5pgodz5k=,efj1Nj/OQJQ5M0kKN5h8Sp38rHIIn8VLkZv+j7Ew/tw=';
  await set('userPassword', verifier);
  expect(await refusal(login('wrong horse'))).toContain('invalidCredentials');
  expect((await login(password)).dn?.key).toBe(name.key);
});

const kept = ['{SASL}user1@JADE.NET', '{KERBEROS}user1@JADE.NET', '{CRAM-MD5}x', '{UNIX}user1', '{SSHA}'];

test.each(kept)('%s is kept as it came, and opens nothing, not even for who types it', async (form) => {
  await set('userPassword', form);
  expect(await stored()).toEqual([form]);
  for (const typed of [form, form.replace(/^\{\w+\}/, '')]) expect(await refusal(login(typed))).toContain('invalidCredentials');
});

test('what is taken over from elsewhere is not asked whether it is long enough', async () => {
  const old = dn('mail=old@jade.net,dc=jade,dc=net');
  await opened.directory.addBatch(root, [{ dn: old, attributes: person('old@jade.net', { userPassword: 'jaj' }) }]);
  expect((await login('jaj', old)).dn?.key).toBe(old.key);
  // Entry by entry as well, by the server's own import and by nobody else.
  const single = dn('mail=single@jade.net,dc=jade,dc=net');
  const one = person('single@jade.net', { userPassword: 'dots' });
  expect(await refusal(opened.directory.add(root, single, one))).toContain('at least 6 characters');
  await opened.directory.add(system('import'), single, one);
  expect((await login('dots', single)).dn?.key).toBe(single.key);
  for (const mark of ['*', '!', 'x', '!!', '*LK*', '']) {
    const none = dn(`mail=none${mark.length}${mark.charCodeAt(0)}@jade.net,dc=jade,dc=net`);
    await opened.directory.addBatch(root, [
      { dn: none, attributes: person(`none${mark.length}${mark.charCodeAt(0)}@jade.net`, { userPassword: mark }) },
    ]);
    expect((await opened.directory.readAll(none))?.values('userPassword').map(passwordText)).toEqual([mark]);
    expect(await refusal(login(mark, none))).toContain('invalidCredentials');
  }
});

test('naming a wrong old password is slowed down like logging in with it', async () => {
  const me = { ...(await login('secret of user1')), address: '192.0.2.7' };
  const guess = (n: number): Promise<string> =>
    refusal(
      opened.directory.modify(me, name, [{ operation: 'delete', attribute: { name: 'userPassword', values: [`guess number ${n}`] } }]),
    );
  for (let n = 0; n < 5; n++) expect(await guess(n)).toContain('noSuchAttribute');
  expect(await guess(6)).toContain('busy: too many failed log-ins');
});

test.each(hostile)('the stored form %s lets nobody in and keeps nobody busy', async (form) => {
  expect(await inlineHasher.check(password, [form])).toBe(-1);
});

test('a new password is stored as a SCRAM verifier that a client can prove itself by', async () => {
  await set('userPassword', 'Pässword \u00a0new');
  const verifier = parseScram((await stored())[0] ?? '');
  expect(verifier?.iterations).toBe(4096);
  expect(pbkdf2Sync('Pässword  new', verifier?.salt ?? '', 4096, 32, 'sha256')).toHaveLength(32);
  expect((await login('Pässword \u00a0new')).as).toBe('bound');
  expect((await login('Pa\u0308ssword  new')).as).toBe('bound');
});

test('the answer is the same for a wrong password, an unknown name and an entry without password', async () => {
  const answers = [
    await refusal(login('wrong')),
    await refusal(login('wrong', dn('mail=nobody@jade.net,dc=jade,dc=net'))),
    await refusal(login('wrong', dn('dc=jade,dc=net'))),
    await refusal(login('')),
    await refusal(login('x'.repeat(100_000))),
  ];
  expect(new Set(answers).size).toBe(1);
  expect(checks).toBe(3);
});

test('a right password is remembered until it changes, the status changes or the time is over', async () => {
  await login('secret of user1');
  await login('secret of user1');
  expect(checks).toBe(1);
  opened.clock.advance(301_000);
  await login('secret of user1');
  expect(checks).toBe(2);
  await set('accountStatus', 'disabled');
  expect(await refusal(login('secret of user1'))).toContain('invalidCredentials');
  await set('accountStatus', 'active');
  await login('secret of user1');
  await set('userPassword', 'another one');
  expect(await refusal(login('secret of user1'))).toContain('invalidCredentials');
  expect((await login('another one')).dn?.key).toBe(name.key);
});

test('guessing is slowed per account and address, whether the account exists or not, and others are not', async () => {
  for (const who of [name, dn('mail=nobody@jade.net,dc=jade,dc=net')]) {
    for (let n = 0; n < 5; n++) expect(await refusal(login(`guess ${n}`, who))).toContain('invalidCredentials');
    expect(await refusal(login('guess', who))).toContain('busy: too many failed log-ins');
  }
  expect(await refusal(login('secret of user1'))).toContain('busy');
  expect((await login('secret of user1', name, { door: 'test', address: '192.0.2.99' })).dn?.key).toBe(name.key);
  opened.clock.advance(1001);
  expect(await refusal(login('guess'))).toContain('invalidCredentials');
  opened.clock.advance(1001);
  expect(await refusal(login('guess'))).toContain('busy');
  opened.clock.advance(1001);
  expect(await refusal(login('guess'))).toContain('invalidCredentials');
});

test('a remembered password opens nothing elsewhere, and nothing from where somebody has failed and must wait', async () => {
  await login('secret of user1');
  const elsewhere = { door: 'test', address: '192.0.2.66' };
  const otherDoor = { ...from, door: 'other' };
  expect(checks).toBe(1);
  // Known at its own place only.
  for (const where of [elsewhere, otherDoor]) await login('secret of user1', name, where);
  expect(checks).toBe(3);
  for (const where of [elsewhere, otherDoor]) {
    for (let n = 0; n < 5; n++) expect(await refusal(login(`guess ${n}`, name, where))).toContain('invalidCredentials');
    // Right and wrong are refused alike and without a hash.
    const before = checks;
    const answers = [await refusal(login('secret of user1', name, where)), await refusal(login('guess', name, where))];
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('busy');
    expect(checks).toBe(before);
  }
  // Whoever shares the address with the guesser waits with him, by every door, and no longer than a minute.
  expect(await refusal(login('secret of user1'))).toContain('busy');
  opened.clock.advance(60_001);
  const before = checks;
  expect(await refusal(login('guess'))).toContain('invalidCredentials');
  opened.clock.advance(60_001);
  await login('secret of user1');
  expect(checks).toBe(before + 2);
});

test('an address that must wait gets in by no remembered password either', async () => {
  await login('secret of user1');
  for (let n = 0; n < 50; n++) await refusal(login('guess', dn(`mail=nobody${n}@jade.net,dc=jade,dc=net`)));
  expect(await refusal(login('secret of user1'))).toContain('busy');
});

test('guesses that are sent side by side are no more than those one after another, and the right one is not told from them', async () => {
  const guesses = [...Array.from({ length: 40 }, (_, n) => `guess ${n}`), 'secret of user1'];
  const answers = await Promise.all(guesses.map((guess) => refusal(login(guess))));
  expect(answers.filter((answer) => answer.includes('invalidCredentials'))).toHaveLength(5);
  expect(answers.at(-1)).toContain('busy');
});

test('a failed log-in leaves a warning with the name as it was given, the address and the door', async () => {
  const lines: string[] = [];
  const log = { ...silentLog, warning: (text: string) => void lines.push(text) };
  opened = await opened.reopen({ log });
  await refusal(login('guess'));
  await refusal(login('guess', dn('cn=nobody'), { ...from, door: 'imap', name: 'user1' } as typeof from));
  expect(lines).toEqual([
    'log-in as "mail=user1@jade.net,dc=jade,dc=net" from [192.0.2.1] by test refused: wrong password',
    'log-in as "user1" from [192.0.2.1] by imap refused: there is no such account',
  ]);
  expect(lines.join()).not.toContain('guess');
  await set('accountStatus', 'disabled');
  await refusal(login('secret of user1', name, { ...from, address: '192.0.2.2' } as typeof from));
  await refusal(login('guess', name, { ...from, address: '192.0.2.3' } as typeof from));
  expect(lines.slice(2).map((line) => line.replace(/^.* by /, ''))).toEqual([
    'test refused: the account is disabled',
    'test refused: wrong password, the account is disabled',
  ]);
});

test('a user changes the own password, also by naming the old one', async () => {
  const me = await login('secret of user1');
  const by = (old: string, fresh: string): Promise<string> =>
    refusal(
      opened.directory.modify(me, name, [
        { operation: 'delete', attribute: { name: 'userPassword', values: [old] } },
        { operation: 'add', attribute: { name: 'userPassword', values: [fresh] } },
      ]),
    );
  expect(await by('not the old one', 'brand new')).toContain('noSuchAttribute');
  expect(await by('secret of user1', 'short')).toContain('constraintViolation');
  expect(await by('secret of user1', 'brand new')).toBe('not refused');
  expect((await login('brand new')).dn?.key).toBe(name.key);
});

test('no password and no secret reaches the change log, in any form', async () => {
  const seen: Change[] = [];
  const watch = await opened.directory.watch(
    0,
    (change) => seen.push(change),
    () => {},
  );
  await opened.directory.add(
    root,
    dn('mail=new@jade.net,dc=jade,dc=net'),
    person('new@jade.net', { userPassword: 'visible to nobody', mtTestSecret: 'hidden thing' }),
  );
  await settle(async () => watch.position === (await opened.directory.position()));
  watch.stop();
  const text = JSON.stringify(
    seen.flatMap((change) => [change.before, change.after].map((entry) => [...(entry?.attributes.values() ?? [])])),
  );
  expect(text).toContain('new@jade.net');
  for (const secret of ['SCRAM', '"name":"userPassword"', 'visible to nobody', 'hidden thing', 'mtTestSecret'])
    expect(text).not.toContain(secret);
});

test('a bound actor compares a password only where a rule lets it', async () => {
  expect(await opened.directory.compare(root, name, 'userPassword', 'secret of user1')).toBe(true);
  expect(await opened.directory.compare(root, name, 'userPassword', 'wrong')).toBe(false);
  const other = await login('secret of user2', dn('mail=user2@jade.net,dc=jade,dc=net'));
  expect(await refusal(opened.directory.compare(other, name, 'userPassword', 'secret of user1'))).toContain('insufficientAccessRights');
});

test('hashing works on workers', async () => {
  const hasher = workerHasher({ threads: 1 });
  try {
    const verifier = await hasher.derive('on a worker', 4096);
    expect(await hasher.check('on a worker', ['{SHA}x', verifier])).toBe(1);
    expect(await hasher.check('not this', [verifier])).toBe(-1);
  } finally {
    await hasher.close();
  }
});

test('a batch has more passwords than may wait for a hash, and all of them are in', async () => {
  await opened.close();
  opened = await openTemporary({ hasher: workerHasher({ threads: 1, queue: 10 }) });
  await fill(opened.directory);
  const batch = Array.from({ length: 60 }, (_, n) => `p${n}@jade.net`).map((mail) => {
    return { dn: dn(`mail=${mail},dc=jade,dc=net`), attributes: person(mail, { userPassword: 'dots' }) };
  });
  await opened.directory.addBatch(root, batch);
  expect((await login('dots', batch[59]!.dn)).dn?.key).toBe(batch[59]!.dn.key);
});

test('a full queue of log-ins is answered with busy at once', async () => {
  const hasher = workerHasher({ threads: 1, queue: 1 });
  try {
    const answers = await Promise.all(Array.from({ length: 30 }, () => refusal(hasher.check('x', ['{SHA}x']))));
    expect(answers.some((answer) => answer.includes('too many log-ins'))).toBe(true);
  } finally {
    await hasher.close();
  }
});

test('the shortest password is a setting', async () => {
  const strict = await opened.reopen({ settings: settings({ minimumPassword: 12 }) });
  opened = strict;
  expect(
    await refusal(
      strict.directory.modify(root, name, [{ operation: 'replace', attribute: attributes({ userPassword: 'eleven char' })[0]! }]),
    ),
  ).toContain('at least 12 characters');
});

test('a user gives a password, not the form it is stored in, and not a hundred of them', async () => {
  const user = await login('secret of user1');
  const give = (operation: 'add' | 'replace' | 'delete', ...values: string[]): Promise<string> =>
    refusal(opened.directory.modify(user, name, [{ operation, attribute: { name: 'userPassword', values } }]));
  const costly = `{SCRAM-SHA-256}9999999:${'A'.repeat(24)}$${'A'.repeat(44)}:${'A'.repeat(44)}`;
  expect(await give('replace', costly)).toContain('give the password itself');
  expect(await give('replace', '{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==')).toContain('give the password itself');
  checks = 0;
  const many = Array.from({ length: 100 }, (_, n) => `password number ${n}`);
  expect(await give('add', ...many)).toContain('more than 10 passwords');
  expect(await give('delete', ...many)).toContain('more than 10 passwords');
  expect(checks).toBe(0);
  const admin = await login('admin secret', dn('cn=admin,dc=jade,dc=net'));
  expect(
    await refusal(
      opened.directory.modify(admin, name, [
        { operation: 'replace', attribute: { name: 'userPassword', values: ['{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA=='] } },
      ]),
    ),
  ).toBe('not refused');
  expect((await login(password)).dn?.key).toBe(name.key);
});

test('nobody gathers so many passwords that a log-in would cost as many hashes', async () => {
  const user = await login('secret of user1');
  const add = (n: number) =>
    opened.directory.modify(user, name, [{ operation: 'add', attribute: { name: 'userPassword', values: [`further password ${n}`] } }]);
  for (let n = 1; n < 10; n++) await add(n);
  expect(await refusal(add(10))).toBe('constraintViolation: attribute userPassword: an entry has at most 10 passwords');
  expect(await stored()).toHaveLength(10);
});
