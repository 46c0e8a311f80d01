#!/usr/bin/env node
/**
 * `sendmail`: hands in a message as the BSD program does, for cron, mutt and everything else that calls it.
 *
 * Promise: exit 0 means that the message is in the queue for good; otherwise a code of sysexits says why not.
 * Source: manual chapter 6, "SENDMAIL"; checklist CLI-01; sysexits.h
 */

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { asFault, Fault, type FaultKind } from '../base/index.ts';
import { asMessage, headerAddresses } from '../mail/index.ts';
import { type Config, handedInLine } from '../main/index.ts';
import { loadConfig } from './config-file.ts';
import { askControl } from './control-client.ts';
import { help, parseArguments, type SendmailArguments } from './sendmail-arguments.ts';
import { isClosed, smtpDoor } from './sendmail-door.ts';
import { retryChosen, verify } from './sendmail-queue.ts';
import { senderFor } from './sendmail-sender.ts';
import { type Submission, talkSmtp } from './sendmail-talk.ts';

const exitCodes: Partial<Record<FaultKind, number>> = {
  malformed: 65, // EX_DATAERR
  'not-found': 67, // EX_NOUSER
  'bad-credentials': 77, // EX_NOPERM
  'not-permitted': 77,
  unsupported: 64, // EX_USAGE
  'too-large': 65,
  'too-many': 65,
  bug: 70, // EX_SOFTWARE
  refused: 69, // EX_UNAVAILABLE
};
const tempFail = 75; // EX_TEMPFAIL
const usage = 64; // EX_USAGE
const noUser = 67; // EX_NOUSER
const configError = 78; // EX_CONFIG

/** What the control socket takes at most; larger messages go by SMTP. */
const maxMessage = 128 * 1_048_576;

async function main(): Promise<number> {
  let given: SendmailArguments;
  try {
    given = parseArguments(process.argv.slice(2));
  } catch (thrown) {
    console.error(`sendmail: ${asFault(thrown).say}`);
    return usage;
  }
  if (given.mode === 'help') process.stdout.write(help);
  if (given.mode === 'help' || given.mode === 'nothing') return 0;
  let config: Config;
  try {
    config = loadConfig(given.config);
  } catch (thrown) {
    console.error(`sendmail: ${asFault(thrown).say}`);
    return configError;
  }
  try {
    return await work(config, given);
  } catch (thrown) {
    return failed(thrown);
  }
}

async function work(config: Config, given: SendmailArguments): Promise<number> {
  switch (given.mode) {
    case 'queue':
      return otherProgram('mailq.js', given.verbose ? ['-v'] : [], given.config);
    case 'run':
      return given.chosen ? await retryChosen(config, given.chosen) : otherProgram('mailtree.js', ['retry'], given.config);
    case 'verify':
      return (await verify(config, given.recipients)) ? 0 : noUser;
    case 'smtp':
      return await talkSmtp(config, { submit: (mail) => submit(config, mail), senderFor: (wanted) => sender(config, wanted) });
    default:
      await submitGiven(config, given);
      return 0;
  }
}

/** One line on standard error; the code of sysexits. */
function failed(thrown: unknown): number {
  const fault = asFault(thrown);
  console.error(`sendmail: ${fault.kind === 'bug' ? String(thrown) : fault.say}`);
  return exitCodes[fault.kind] ?? tempFail;
}

function sender(config: Config, wanted: string | undefined): string {
  const { username, uid } = userInfo();
  return senderFor({ name: username, uid }, config.domain || hostname(), wanted, ownerOf(config.data));
}

async function submitGiven(config: Config, given: SendmailArguments): Promise<void> {
  const from = sender(config, given.sender);
  const message = asMessage(endAtDot(await readAll(), given.dotEnds));
  const { recipients: named, withoutBcc } = headerAddresses(message);
  const recipients = given.fromHeaders ? [...new Set([...named, ...given.recipients])] : given.recipients;
  if (recipients.length === 0) throw new Fault('unsupported', 'no recipients');
  const { fullName, ret, envelopeId, notify } = given;
  const wishes = {
    ...(fullName === undefined ? {} : { fullName }),
    ...(ret === undefined ? {} : { ret }),
    ...(envelopeId === undefined ? {} : { envelopeId }),
    ...(notify === undefined ? {} : { notify: [...notify] }),
  };
  await submit(config, { sender: from, recipients, bytes: withoutBcc, ...wishes });
}

async function submit(config: Config, { bytes, ...envelope }: Submission): Promise<void> {
  const { sender: from, recipients, ret, envelopeId, notify } = envelope;
  try {
    await askControl(config, { method: 'POST', path: '/messages', body: Readable.from([Buffer.from(handedInLine(envelope)), bytes]) });
  } catch (thrown) {
    // Whoever is neither the server's user nor root hands in like any other client of this host.
    const { smtp } = config.listen;
    if (!isClosed(thrown) || smtp === 'off') throw thrown;
    const complete = (address: string): string => (address === '' || address.includes('@') ? address : `${address}@${config.domain}`);
    const { handInBySmtp } = await import('./sendmail-smtp.ts');
    const all = { where: smtpDoor(smtp), name: config.host, sender: complete(from), recipients: recipients.map(complete), bytes };
    await handInBySmtp({ ...all, notify: notify?.join(',').toUpperCase(), ret: ret?.toUpperCase(), envelopeId });
  }
}

/** The system user the server runs as: its data are that user's. */
function ownerOf(folder: string): number | undefined {
  try {
    return statSync(folder).uid;
  } catch {
    return undefined;
  }
}

/** Runs a command that stands beside this one; its exit code. */
function otherProgram(name: string, args: readonly string[], config: string | undefined): number {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const all = [file, ...args, ...(config === undefined ? [] : ['--config', config])];
  return spawnSync(process.execPath, all, { stdio: 'inherit' }).status === 0 ? 0 : tempFail;
}

async function readAll(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > maxMessage) throw new Fault('too-large', `the message is over ${maxMessage} octets`);
  }
  return Buffer.concat(chunks);
}

/** Without -i a line that holds a dot alone ends the message. */
function endAtDot(message: Buffer, dotEnds: boolean): Buffer {
  if (!dotEnds) return message;
  const at = /(^|\n)\.\r?(\n|$)/.exec(message.toString('latin1'));
  return at ? message.subarray(0, at.index + (at[1] ?? '').length) : message;
}

process.exitCode = await main();
