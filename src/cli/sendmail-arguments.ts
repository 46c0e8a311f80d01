/**
 * The command line of BSD sendmail, as far as programs that hand in mail use it.
 *
 * Flags that mean nothing here (delivery modes, options of its configuration file) are taken and ignored, as everybody's replacement does;
 * modes that are another program's work (-bs, -bd, -bt …) are refused by name.
 * Source: manual chapter 6, "SENDMAIL"; checklist CLI-01; sendmail(8)
 */

import { Fault } from '../base/index.ts';

const notices = ['success', 'failure', 'delay'] as const;
export type Notice = (typeof notices)[number] | 'never';

export interface SendmailArguments {
  /** submit: hand in a message; queue (-bp): what `mailq` prints; run (-q): try what is deferred; help; nothing (-bi: there are no alias files). */
  readonly mode: 'submit' | 'queue' | 'run' | 'help' | 'nothing';
  readonly recipients: readonly string[];
  /** -f or -r. */
  readonly sender: string | undefined;
  /** -F: name of the sender, for a message without From. */
  readonly fullName: string | undefined;
  /** -t */
  readonly fromHeaders: boolean;
  /** False with -i or -oi. */
  readonly dotEnds: boolean;
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

/** Flags whose value may stand in the next argument. */
const withValue = 'fFrNRBhLOpVX';
const otherModes: Readonly<Record<string, string>> = {
  s: 'talk SMTP to the submission port',
  d: '`mailtree start` runs the server',
  D: '`mailtree start` runs the server',
  v: '`mailtree explain` tells where an address leads',
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
    else {
      // -q, -o and -v style flags carry their value in the same word or have none; -f and its kin may take the next word.
      const next = arg.length === 2 && withValue.includes(arg[1] ?? '');
      flag(given, arg, next ? args[++n] : arg.slice(2));
    }
  }
  // Addresses on the command line may be lists with commas.
  given.recipients = recipients
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter(Boolean);
  return given;
}

const nothing: SendmailArguments = {
  mode: 'submit',
  recipients: [],
  sender: undefined,
  fullName: undefined,
  fromHeaders: false,
  dotEnds: true,
  notify: undefined,
  ret: undefined,
  envelopeId: undefined,
  config: undefined,
};

function flag(given: Writable, arg: string, value: string | undefined): void {
  const need = (what: string): string => {
    if (value === undefined || value === '') throw new Fault('unsupported', `${arg} needs ${what}`);
    return value;
  };
  switch (arg[1]) {
    case 'f':
    case 'r': {
      const address = need('an address');
      given.sender = address === '<>' ? '' : address;
      break;
    }
    case 'F':
      given.fullName = need('a name');
      break;
    case 't':
      given.fromHeaders = true;
      break;
    case 'i':
      given.dotEnds = false;
      break;
    case 'o':
      if (arg === '-oi') given.dotEnds = false;
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
      // With a time (-q15m) it asks a daemon to run the queue now and then: ours does.
      if (arg === '-q') given.mode = 'run';
      else if (!/^-qf?(\d+[smhdw]?)+$/.test(arg)) throw new Fault('unsupported', `${arg} is not done; see mailtree queue now --help`);
      break;
    case 'b':
      given.mode = modeOf(arg, value ?? '');
  }
}

function modeOf(arg: string, letter: string): SendmailArguments['mode'] {
  if (letter === 'm') return 'submit';
  if (letter === 'p') return 'queue';
  if (letter === 'i') return 'nothing';
  const instead = otherModes[letter];
  throw new Fault('unsupported', `${arg} is not done by this program${instead ? `: ${instead}` : ''}`);
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
  -t                      recipients stand in To, Cc and Bcc as well; Bcc is taken out
  -i, -oi                 a line that holds a single dot does not end the message
  -N never|LIST           what to report to the sender: some of success,failure,delay
  -R full|hdrs            how much of the message a report brings back
  -V ID                   envelope id, named in reports
  -bm                     hand in a message (the default)
  -bp                     print the queue, as mailq does
  -q                      try what is deferred now
  -bi                     nothing: aliases stand in the directory
  --config FILE           configuration file of the server (or MAILTREE_CONFIG)

The server's own user and root hand in directly; everybody else as a client of this host, by SMTP (listen.smtp): to other hosts
where relaying is allowed for this host's address.

Other flags of sendmail are taken and ignored. Ends with a code of sysexits.h: 0 the message is in the queue for good; 64 usage;
65 an address or the message is wrong; 69 refused; 70 a defect; 75 try again later; 77 not permitted; 78 configuration.
`;
