/**
 * What an SMTP server has to answer, as a model that knows no sockets: a conversation is made up at random, and with it the code of
 * every reply and what must have been accepted in the end.
 *
 * Seeded: the same dice make the same conversation. The model speaks to a door that has the addresses of test/smtpd/helpers.ts.
 * Spec: RFC 5321 §4.1.4, §4.3.2; RFC 2920 §3.2; RFC 3030 §2; RFC 4954 §4
 */

export type Dice = (sides: number) => number;

/** Dice that fall the same way every time. */
export function dice(seed: number): Dice {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

export interface Accepted {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly text: string;
}

export interface Script {
  /** Octets as characters. */
  readonly bytes: string;
  /** Of every reply in turn; `25.` stands for several. */
  readonly codes: readonly string[];
  /** Which step each of them answers. */
  readonly said: readonly string[];
  readonly accepted: readonly Accepted[];
}

interface Now {
  greeted: 'no' | 'smtp' | 'esmtp';
  mail: { sender: string; recipients: Set<string>; chunks: string[] | undefined } | undefined;
  user: boolean;
  unknown: number;
  failures: number;
}

/** One step: what is sent, and what must come back. It changes what the model knows. */
type Step = (now: Now, roll: Dice, accepted: Accepted[]) => readonly [bytes: string, ...codes: string[]];

const pick = <T>(from: readonly T[], roll: Dice): T => from[roll(from.length)] as T;
const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
const ends = ['\r\n', '\r\n', '\r\n', '\n'];

/** Text that would do harm where it was read as commands. */
const traps = [
  'MAIL FROM:<evil@x.example>\r\n',
  'RCPT TO:<ann@jade.example>\r\n',
  'DATA\r\n',
  'QUIT\r\n',
  'BDAT 5 LAST\r\n',
  'RSET\r\n',
  '\0\r',
  'x',
];

/** Arguments of MAIL that are refused wherever MAIL would be taken. */
const badMail: readonly (readonly [argument: string, code: string])[] = [
  ['FROM:a@x.example', '501'],
  ['FROM:<a@x.example', '501'],
  ['TO:<a@x.example>', '501'],
  ['FROM:<a\0@x.example>', '501'],
  ['FROM:<a@x.example>\rRCPT TO:<ann@jade.example>', '501'],
  ['FROM:<\xff\xfe@x.example>', '501'],
  ['FROM:<a\xe2\x80\xae@x.example> SMTPUTF8', '501'],
  ['FROM:<a\xe2\x80\xa8b@x.example> SMTPUTF8', '501'],
  ['FROM:<a@x..example>', '553'],
  ['FROM:<@a,@:b@x.example>', '553'],
  ['FROM:<a@x.example> SIZE=1 SIZE=1', '501'],
  ['FROM:<a@x.example> X=1', '555'],
  ['FROM:<a@x.example> constructor=1', '555'],
  ['FROM:<a@x.example> __proto__=1', '501'],
  [`FROM:<a@x.example>${' A=1'.repeat(21)}`, '501'],
  [`FROM:<${'x'.repeat(2_100)}@x.example>`, '500'],
];
/** The same, of a parameter that HELO does not allow at all. */
const badParameters = [
  'SIZE=-1',
  'SIZE=0x10',
  `SIZE=${'9'.repeat(21)}`,
  'SIZE',
  'BODY=BINARYMIME',
  'SMTPUTF8=1',
  'RET=ALL',
  'ENVID=a+0D+0Ab',
  'ENVID=+zz',
  'AUTH',
];
const badRcpt: readonly (readonly [argument: string, code: string])[] = [
  ['TO:<>', '501'],
  ['TO:<nobody@jade.example>', '550'],
  ['TO:<"ann@jade.example"@far.example>', '550'],
  ['TO:<ann%jade.example@far.example>', '550'],
  ['TO:<far.example!x@jade.example>', '550'],
  ['TO:<a@[127.0.0.1]>', '550'],
  ['TO:<ann@jade.example> X', '555'],
  ['FROM:<ann@jade.example>', '501'],
];
const badNotify = [
  'NOTIFY=NEVER,SUCCESS',
  'NOTIFY=',
  'NOTIFY=SUCCESS,SUCCESS',
  'ORCPT=rfc822',
  'ORCPT=rfc822;a+0D+0AX:+20y',
  'ORCPT=rfc822;a+00',
  'ORCPT=a b;c',
  'ORCPT=;x',
];

const closeMail = (now: Now): void => {
  now.mail = undefined;
};

function text(roll: Dice): string {
  let made = '';
  for (let n = roll(6); n > 0; n -= 1) made += pick([...traps, '.', '..', '\r\n', '\r\n.', 'line\r\n', '\xff\x80'], roll);
  return made;
}

/** As it is kept: bare CR and LF become line ends, the last line has one, and what is no header has an empty line before it (docs/smtp-line-ends.md). */
const kept = (raw: string): string => {
  const clean = raw.replace(/\r\n|\r|\n/g, '\r\n');
  const whole = clean === '' || clean.endsWith('\r\n') ? clean : `${clean}\r\n`;
  return /^(?:$|\r\n|>?From |\xef\xbb\xbf|[!-9;-~]{1,997}[ \t]*:)/.test(whole) ? whole : `\r\n${whole}`;
};

function taken(now: Now, raw: string, accepted: Accepted[]): void {
  if (now.mail) accepted.push({ sender: now.mail.sender, recipients: [...now.mail.recipients].sort(), text: kept(raw) });
  closeMail(now);
}

const hello: Step = (now, roll) => {
  const verb = pick(['EHLO', 'HELO', 'ehlo'], roll);
  const bad = roll(6) === 0;
  if (bad) return [`${verb} ${pick(['', 'a b', 'x(by evil)', 'a\0b', 'x'.repeat(256)], roll)}`, '501'];
  now.greeted = verb === 'HELO' ? 'smtp' : 'esmtp';
  closeMail(now);
  return [`${verb} client.example`, '250'];
};

const mail: Step = (now, roll) => {
  const answer = (code: string): string => (now.greeted === 'no' || now.mail ? '503' : code);
  if (roll(3) === 0) {
    const [argument, code] = pick(badMail, roll);
    const early = now.greeted === 'no' ? '503' : code === '500' ? '500' : answer(code);
    return [`MAIL ${argument}`, early];
  }
  if (roll(4) === 0) return [`MAIL FROM:<a@x.example> ${pick(badParameters, roll)}`, answer(now.greeted === 'smtp' ? '5..' : '501')];
  const sender = pick(['', 'a@x.example', 'ann@jade.example'], roll);
  const parameters =
    now.greeted === 'esmtp' ? pick(['', ' SIZE=100', ' BODY=8BITMIME SMTPUTF8', ' RET=FULL ENVID=x+2By', ' AUTH=<>'], roll) : '';
  // Who has logged in is nobody else.
  const code = answer(now.user && sender === 'a@x.example' ? '553' : '250');
  if (code === '250') now.mail = { sender, recipients: new Set(), chunks: undefined };
  return [`MAIL FROM:<${sender}>${parameters}`, code];
};

const rcpt: Step = (now, roll) => {
  const closed = !now.mail || now.mail.chunks !== undefined;
  const answer = (code: string): string => (closed ? '503' : code);
  if (roll(3) === 0) {
    const [argument, code] = pick(badRcpt, roll);
    // Who has logged in may send anywhere.
    const far = argument.includes('far.example>') || argument.includes('127.0.0.1');
    const address = /<(.*)>/.exec(argument)?.[1] ?? '';
    if (far && now.user && now.mail && !closed) now.mail.recipients.add(address);
    return [`RCPT ${argument}`, answer(far && now.user ? '250' : code)];
  }
  if (roll(5) === 0) return [`RCPT TO:<ann@jade.example> ${pick(badNotify, roll)}`, answer(now.greeted === 'smtp' ? '5..' : '501')];
  const address = pick(['ann@jade.example', 'bob@jade.example', '@a,@b.example:ann@jade.example'], roll);
  const parameters = now.greeted === 'esmtp' ? pick(['', ' NOTIFY=SUCCESS,DELAY', ' ORCPT=rfc822;a+2Bb@c.example'], roll) : '';
  if (!closed) now.mail?.recipients.add(address.replace(/^.*:/, ''));
  return [`RCPT TO:<${address}>${parameters}`, answer('250')];
};

const data: Step = (now, roll, accepted) => {
  if (roll(6) === 0) return ['DATA now', now.greeted === 'no' ? '503' : '501'];
  if (!now.mail) return ['DATA', '503'];
  if (now.mail.recipients.size === 0) return ['DATA', '554'];
  if (now.mail.chunks) return ['DATA', '503'];
  const said = text(roll).replaceAll('\r\n.\r\n', '\r\n');
  // The last line's end belongs to the end of the data, too.
  const raw = said === '' || said.endsWith('\r\n') ? said : `${said}\r\n`;
  const stuffed = raw.replace(/(^|\r\n)\./g, '$1..');
  taken(now, raw, accepted);
  return [`DATA\r\n${stuffed}.`, '354', '250'];
};

const bdat: Step = (now, roll, accepted) => {
  const raw = roll(4) === 0 ? '' : text(roll);
  const last = roll(2) === 0;
  const line = `${pick(['BDAT', 'bdat'], roll)} ${'0'.repeat(roll(3))}${raw.length}${last ? pick([' LAST', ' last'], roll) : ''}\r\n${raw}`;
  if (!now.mail) return [line, '503'];
  if (now.mail.recipients.size === 0) {
    closeMail(now);
    return [line, '554'];
  }
  now.mail.chunks = [...(now.mail.chunks ?? []), raw];
  if (last) taken(now, now.mail.chunks.join(''), accepted);
  return [line, '250'];
};

const small: Step = (now, roll) => {
  const [line, code] = pick(
    [
      ['NOOP', '250'],
      ['NOOP \0\xff\r', '250'],
      ['HELP MAIL', '214'],
      ['VRFY ann*)(mail=*', '252'],
      ['VRFY', '501'],
      [`EXPN ${'é'.repeat(50)}`, '550'],
      ['RSET now', '501'],
      ['QUIT now', '501'],
      ['STARTTLS', '454'],
      [`NOOP ${'x'.repeat(2_100)}`, '500'],
      ['ETRN #all', now.greeted === 'no' || now.mail ? '503' : '459'],
      ['ETRN', now.greeted === 'no' || now.mail ? '503' : '501'],
      ['ETRN @far.example', now.greeted === 'no' || now.mail ? '503' : '25.'],
    ] as const,
    roll,
  );
  return [line, code];
};

const rset: Step = (now) => {
  closeMail(now);
  return ['RSET', '250'];
};

const unknown: Step = (now, roll) => {
  if (now.unknown >= 8) return ['NOOP', '250'];
  now.unknown += 1;
  return [
    pick(
      ['', ' ', 'XCLIENT ADDR=127.0.0.1', 'XFORWARD NAME=x', 'LHLO x', 'MAILFROM:<>', '\0', 'constructor', '__proto__ x', 'AUTH\tPLAIN'],
      roll,
    ),
    '500',
  ];
};

/** Base64 and not quite, with what it means. */
const auth: Step = (now, roll) => {
  if (now.greeted === 'no') return [`AUTH PLAIN ${base64('\0ann\0secret')}`, '503'];
  if (now.greeted === 'smtp') return ['AUTH PLAIN', '502'];
  if (now.mail || now.user) return [`AUTH PLAIN ${base64('\0ann\0secret')}`, '503'];
  const good = base64('\0ann\0secret');
  const [bytes, ...codes] = pick<readonly [string, ...string[]]>(
    [
      [`AUTH PLAIN ${good}`, '235'],
      [`AUTH PLAIN\r\n${good}`, '334', '235'],
      [`AUTH LOGIN\r\n${base64('ann')}\r\n${base64('secret')}`, '334', '334', '235'],
      [`AUTH LOGIN ${base64('ann')}\r\n${base64('secret')}`, '334', '235'],
      ['AUTH', '501'],
      ['AUTH CRAM-MD5', '504'],
      ['AUTH XOAUTH2 eA==', '504'],
      ['AUTH constructor', '504'],
      ['AUTH PLAIN =', '501'],
      ['AUTH PLAIN\r\n*', '334', '501'],
      ['AUTH PLAIN\r\n', '334', '501'],
      [`AUTH PLAIN ${good.slice(0, 4)}!${good.slice(4)}`, '501'],
      [`AUTH PLAIN ${good} x`, '501'],
      [`AUTH PLAIN\r\n${good.slice(0, 8)} ${good.slice(8)}`, '334', '501'],
      [`AUTH PLAIN ${base64('\0ann\0sec\0ret')}`, '501'],
      [`AUTH PLAIN ${base64('\0an\rn\0secret')}`, '501'],
      ['AUTH LOGIN\r\n*', '334', '501'],
      ['AUTH LOGIN =', '501'],
      [`AUTH LOGIN\r\n${base64('ann')}\r\n*`, '334', '334', '501'],
      [`AUTH LOGIN\r\n${base64('ann')}\r\nMAIL FROM:<a@x.example>`, '334', '334', '501'],
      [`AUTH PLAIN ${base64('\0ann\0guess')}`, '535'],
      [`AUTH PLAIN ${base64('bob\0ann\0secret')}`, '535'],
      [`AUTH PLAIN ${base64(`\0ann\0${'x'.repeat(9_000)}`)}`, '535'],
    ],
    roll,
  );
  const end = codes.at(-1);
  if (end === '235') now.user = true;
  return [bytes, ...codes];
};

const steps: readonly Step[] = [hello, mail, mail, rcpt, rcpt, rcpt, data, data, bdat, bdat, small, rset, unknown, auth];

/** A conversation of so many steps, and a QUIT. */
export function script(roll: Dice, length: number): Script {
  const now: Now = { greeted: 'no', mail: undefined, user: false, unknown: 0, failures: 0 };
  const accepted: Accepted[] = [];
  const codes: string[] = ['220'];
  const lines: string[] = [''];
  let bytes = '';
  // Most conversations get somewhere.
  const begin: readonly Step[] = roll(4) > 0 ? [hello, mail, rcpt] : [];
  for (let n = 0; n < length; n += 1) {
    const [said, ...answers] = (begin[n] ?? pick(steps, roll))(now, roll, accepted);
    // Only CRLF ends a message.
    bytes += said + (answers[0] === '354' ? '\r\n' : /^bdat/i.test(said) ? '' : pick(ends, roll));
    codes.push(...answers);
    lines.push(...answers.map(() => said.slice(0, 200)));
  }
  return { bytes: `${bytes}QUIT\r\n`, codes: [...codes, '221'], said: [...lines, 'QUIT'], accepted };
}
