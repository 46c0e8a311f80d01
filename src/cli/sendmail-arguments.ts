/**
 * The command line of BSD sendmail, as far as programs that hand in mail use it.
 *
 * Flags that mean nothing here (delivery modes, queue options) are taken and ignored, as everybody's replacement does; modes that are
 * another program's work (-bs, -bd, -bp, -bi …) are refused by name.
 */

import { Fault } from '../base/index.ts';

export interface SendmailArguments {
  readonly recipients: readonly string[];
  /** -f or -r. */
  readonly sender: string | undefined;
  /** -t */
  readonly fromHeaders: boolean;
  /** False with -i or -oi. */
  readonly dotEnds: boolean;
  /** --config FILE (ours). */
  readonly config: string | undefined;
}

/** Flags whose value may stand in the next argument. */
const withValue = 'fFrNRBhLOpqVXo';

/** Fault `unsupported` for what cannot be done. */
export function parseArguments(args: readonly string[]): SendmailArguments {
  const recipients: string[] = [];
  let sender: string | undefined;
  let config: string | undefined;
  let fromHeaders = false;
  let dotEnds = true;
  for (let n = 0; n < args.length; n++) {
    const arg = args[n] ?? '';
    if (arg === '--') {
      recipients.push(...args.slice(n + 1));
      break;
    }
    if (arg === '--config') config = args[++n];
    else if (arg.startsWith('--config=')) config = arg.slice(9);
    else if (!arg.startsWith('-') || arg === '-') recipients.push(arg);
    else {
      const flag = arg[1] ?? '';
      if (flag === 'b' && arg !== '-bm') throw new Fault('unsupported', `${arg} is not done by this program`);
      // -q, -o and -v style flags carry their value in the same word or have none; -f and its kin may take the next word.
      const value = arg.length > 2 ? arg.slice(2) : withValue.includes(flag) && !'oq'.includes(flag) ? args[++n] : undefined;
      if (flag === 'f' || flag === 'r') {
        if (value === undefined) throw new Fault('unsupported', `${arg} needs an address`);
        sender = value === '<>' ? '' : value;
      } else if (flag === 't') fromHeaders = true;
      else if (flag === 'i' || arg === '-oi') dotEnds = false;
    }
  }
  // Addresses on the command line may be lists with commas.
  return {
    recipients: recipients
      .flatMap((text) => text.split(','))
      .map((text) => text.trim())
      .filter(Boolean),
    sender,
    fromHeaders,
    dotEnds,
    config,
  };
}
