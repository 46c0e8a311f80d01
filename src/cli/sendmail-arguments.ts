/**
 * The command line of BSD sendmail, as far as programs that hand in mail use it.
 *
 * Flags that mean nothing here (delivery modes, options of its configuration file) are taken and ignored, as everybody's replacement does;
 * modes that are another program's work (-bd, -bt …) are refused by name. Flags without a value may stand in one word (-it).
 * Source: manual chapter 6, "SENDMAIL"; checklist CLI-01; sendmail(8)
 */

import { Fault } from '../base/index.ts';
import { addressesIn } from '../mail/index.ts';

const notices = ['success', 'failure', 'delay'] as const;
export type Notice = (typeof notices)[number] | 'never';

/** Which of the deferred mail is tried: all of it, or that with a recipient, sender or queue id like this. */
export interface Chosen {
  readonly by: 'recipient' | 'sender' | 'ids';
  readonly text: string;
}

export interface SendmailArguments {
  /**
   * submit: hand in a message; smtp (-bs): talk SMTP on standard input and output; verify (-bv): may mail go there; queue (-bp): what `mailq`
   * prints; run (-q): try what is deferred; help; nothing (-bi: there are no alias files).
   */
  readonly mode: 'submit' | 'smtp' | 'verify' | 'queue' | 'run' | 'help' | 'nothing';
  readonly recipients: readonly string[];
  /** -f or -r. */
  readonly sender: string | undefined;
  /** -F: name of the sender, for a message without From. */
  readonly fullName: string | undefined;
  /** -t */
  readonly fromHeaders: boolean;
  /** False with -i, -oi or -O IgnoreDots. */
  readonly dotEnds: boolean;
  /** -v */
  readonly verbose: boolean;
  /** -qR, -qS, -qI; undefined: all. */
  readonly chosen: Chosen | undefined;
  /** -N: what the sender wants to hear about every recipient (RFC 3461 §4.1). */
  readonly notify: readonly Notice[] | undefined;
  /** -R: how much of the message a report brings back (RFC 3461 §4.3). */
  readonly ret: 'full' | 'hdrs' | undefined;
  /** -V: named in reports (RFC 3461 §4.4). */
  readonly envelopeId: string | undefined;
  /** --config FILE (ours). */
  readonly config: string | undefined;
}

type Writable = { -readonly [K in keyof SendmailArguments]: SendmailArguments[K] };

/** Flags with a value: in the same word, or the next one. */
const withValue = 'ABCDFLMNORVXbefhopr';
/** Flags that may have one in the same word. */
const mayHaveValue = 'dqQ';
/** Flags that stand alone. Of a word with another letter nothing is known, and it is passed over as a whole. */
const alone = 'EGIUYcgijkmnstvwxyz';
const otherModes: Readonly<Record<string, string>> = {
  d: '`mailtree start` runs the server',
  D: '`mailtree start` runs the server',
  t: '`mailtree explain` tells where an address leads',
};

/** Fault `unsupported` for what cannot be done, `malformed` for a value that makes no sense. */
export function parseArguments(args: readonly string[]): SendmailArguments {
  const recipients: string[] = [];
  const given: Writable = { ...nothing, recipients: [] };
  for (let n = 0; n < args.length; n++) {
    const arg = args[n] ?? '';
    if (arg === '--') {
      recipients.push(...args.slice(n + 1));
      break;
    }
    if (arg === '--help') given.mode = 'help';
    else if (arg === '--config') given.config = args[++n];
    else if (arg.startsWith('--config=')) given.config = arg.slice(9);
    else if (!arg.startsWith('-') || arg === '-') recipients.push(arg);
    else if (word(given, arg, args[n + 1])) n++;
  }
  // Addresses on the command line may be lists, and have names with them.
  given.recipients = recipients.flatMap(addressesIn);
  return given;
}

/** The flags of one word; true where the next word was a value. */
function word(given: Writable, arg: string, next: string | undefined): boolean {
  for (let at = 1; at < arg.length; at++) {
    const letter = arg[at] ?? '';
    const rest = arg.slice(at + 1);
    const inWord = rest !== '' || mayHaveValue.includes(letter);
    if (withValue.includes(letter) || mayHaveValue.includes(letter)) {
      flag(given, letter, inWord ? rest : next);
      return !inWord;
    }
    if (!alone.includes(letter)) return false;
    flag(given, letter, undefined);
  }
  return false;
}

const nothing: SendmailArguments = {
  mode: 'submit',
  recipients: [],
  sender: undefined,
  fullName: undefined,
  fromHeaders: false,
  dotEnds: true,
  verbose: false,
  chosen: undefined,
  notify: undefined,
  ret: undefined,
  envelopeId: undefined,
  config: undefined,
};

function flag(given: Writable, letter: string, value: string | undefined): void {
  const need = (what: string): string => {
    if (value === undefined || value === '') throw new Fault('unsupported', `-${letter} needs ${what}`);
    return value;
  };
  switch (letter) {
    case 'f':
    case 'r':
      if (value === undefined) throw new Fault('unsupported', `-${letter} needs an address`);
      given.sender = value === '<>' ? '' : value;
      break;
    case 'F':
      given.fullName = need('a name');
      break;
    case 't':
      given.fromHeaders = true;
      break;
    case 'i':
      given.dotEnds = false;
      break;
    case 'v':
      given.verbose = true;
      break;
    case 'o':
    case 'O':
      if (letter === 'o' ? value === 'i' : /^IgnoreDots *(?:= *(?:[ty]|$)|$)/i.test(value ?? '')) given.dotEnds = false;
      break;
    case 'N':
      given.notify = noticesOf(need('never, or some of success,failure,delay'));
      break;
    case 'R':
      given.ret = retOf(need('full or hdrs'));
      break;
    case 'V':
      given.envelopeId = need('an envelope id').slice(0, 100);
      break;
    case 'q':
      queueRun(given, value ?? '');
      break;
    case 'b':
      given.mode = modeOf(value ?? '');
  }
}

const chosenBy = { R: 'recipient', S: 'sender', I: 'ids' } as const;

function queueRun(given: Writable, value: string): void {
  // With a time (-q15m) it asks a daemon to run the queue now and then: ours does.
  if (/^[fp]?(?:\d+[smhdw]?)+$/.test(value)) return;
  const by = chosenBy[value[0] as keyof typeof chosenBy];
  const text = value.slice(1);
  if (value !== '' && value !== 'f' && (!by || text === ''))
    throw new Fault('unsupported', `-q${value} is not done; see mailtree queue now --help`);
  given.mode = 'run';
  given.chosen = by && { by, text };
}

function modeOf(value: string): SendmailArguments['mode'] {
  const mode = ({ m: 'submit', p: 'queue', i: 'nothing', s: 'smtp', v: 'verify' } as const)[value[0] ?? ''];
  if (mode) return mode;
  const instead = otherModes[value];
  throw new Fault('unsupported', `-b${value} is not done by this program${instead ? `: ${instead}` : ''}`);
}

function noticesOf(text: string): readonly Notice[] {
  const words = text.toLowerCase().split(',');
  if (words.length === 1 && words[0] === 'never') return ['never'];
  const wrong = words.find((word) => !notices.some((notice) => notice === word));
  if (wrong !== undefined) throw new Fault('malformed', `-N: ${wrong} is none of never, success, failure, delay; never stands alone`);
  return notices.filter((notice) => words.includes(notice));
}

function retOf(text: string): 'full' | 'hdrs' {
  const word = text.toLowerCase();
  if (word !== 'full' && word !== 'hdrs') throw new Fault('malformed', `-R: ${text} is neither full nor hdrs`);
  return word;
}

export const help = `usage: sendmail [flags] [address ...]

Reads a message from standard input, up to its end or a line that holds a single dot, and hands it in for the addresses given.

  -f ADDRESS, -r ADDRESS  envelope sender; <> is nobody. For trusted users (root, daemon, network, the server's own) and for oneself
  -F NAME                 name of the sender, where the message has no From
  -t                      recipients stand in To, Cc and Bcc as well (of a message that was resent: in Resent-To, -Cc and -Bcc)
  -i, -oi                 a line that holds a single dot does not end the message
  -N never|LIST           what to report to the sender: some of success,failure,delay
  -R full|hdrs            how much of the message a report brings back
  -V ID                   envelope id, named in reports
  -bm                     hand in a message (the default)
  -bs                     talk SMTP on standard input and output
  -bv                     say for each address whether it can have mail; nothing is sent
  -bp                     print the queue, as mailq does (-v: as mailq -v)
  -q                      try what is deferred now; -qRTEXT, -qSTEXT, -qIID what has TEXT in a recipient or the sender, or this queue id
  -bi                     nothing: aliases stand in the directory
  --config FILE           configuration file of the server (or MAILTREE_CONFIG)

The server's own user and root hand in directly; everybody else as a client of this host, by SMTP (listen.smtp): to other hosts
where relaying is allowed for this host's address.

Bcc is taken out of what is sent; a text without a header gets one. Other flags of sendmail are taken and ignored. Ends with a code of sysexits.h: 0 the message is in the queue for good; 64 usage;
65 an address or the message is wrong; 69 refused; 70 a defect; 75 try again later; 77 not permitted; 78 configuration.
`;
