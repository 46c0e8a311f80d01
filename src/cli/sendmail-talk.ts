/**
 * `sendmail -bs`: SMTP on standard input and output, for programs that hand in mail this way.
 *
 * Promise: 250 behind the data means that the message is in the queue for good. Who may open the control socket hands in as `sendmail` without
 * -bs does, with the rules for -f about MAIL; everybody else talks to the SMTP port of this host. Lines may end in a bare LF: it is the
 * caller's own pipe.
 * Spec: RFC 5321 §4.1, RFC 1870, RFC 2920, RFC 6152, RFC 6531
 */

import { connect } from 'node:net';
import { asFault, Fault, replyOf } from '../base/index.ts';
import { asMessage, parsePath } from '../mail/index.ts';
import type { Config, HandedInEnvelope } from '../main/index.ts';
import { askControl } from './control-client.ts';
import { isClosed, smtpDoor } from './sendmail-door.ts';

export type Submission = HandedInEnvelope & { readonly bytes: Uint8Array };

export interface TalkNeeds {
  readonly submit: (mail: Submission) => Promise<void>;
  /** Fault not-permitted where the caller may not send as this. */
  readonly senderFor: (wanted: string) => string;
}

/** One process hands in so much at most; the server has its own limits. */
const messageAtMost = 128 * 1_048_576;
const lineAtMost = 4_096;
const recipientsAtMost = 1_000;
const tempFail = 75;

/** The exit code. */
export async function talkSmtp(config: Config, needs: TalkNeeds): Promise<number> {
  try {
    await askControl(config, { path: '/status' });
  } catch (thrown) {
    const { smtp } = config.listen;
    if (isClosed(thrown) && smtp !== 'off') return await passOn(smtpDoor(smtp));
    process.stdout.write(`421 4.3.2 ${config.host} ${asFault(thrown).say}\r\n`);
    return tempFail;
  }
  await new Talk(config.host, needs, (reply) => process.stdout.write(`${reply}\r\n`)).run(process.stdin);
  return 0;
}

/** Octet by octet, both ways. */
function passOn(where: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(where);
    socket.on('error', (error) => {
      console.error(`sendmail: the server of this host does not take mail by SMTP: ${error.message}`);
      process.stdin.destroy();
      resolve(tempFail);
    });
    socket.on('close', () => {
      process.stdin.destroy();
      resolve(0);
    });
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
  });
}

/** The conversation; exported for tests. */
export class Talk {
  readonly #host: string;
  readonly #needs: TalkNeeds;
  readonly #say: (reply: string) => void;
  #sender: string | undefined;
  #recipients: string[] = [];
  #data: Buffer[] | undefined;
  #octets = 0;

  constructor(host: string, needs: TalkNeeds, say: (reply: string) => void) {
    this.#host = host;
    this.#needs = needs;
    this.#say = say;
  }

  async run(input: AsyncIterable<Uint8Array>): Promise<void> {
    this.#say(`220 ${this.#host} ESMTP`);
    for await (const line of linesOf(input)) if (!(await this.#line(line))) return;
  }

  /** False: the end. */
  async #line(line: Buffer): Promise<boolean> {
    if (this.#data) {
      await this.#dataLine(line, this.#data);
      return true;
    }
    const text = line.toString('utf8').trimEnd();
    if (line.length > lineAtMost) this.#say('500 5.5.2 line too long');
    else if (/^QUIT$/i.test(text)) {
      this.#say(`221 2.0.0 ${this.#host} closing connection`);
      return false;
    } else {
      try {
        this.#say(this.#command(text));
      } catch (thrown) {
        this.#refuse(thrown);
      }
    }
    return true;
  }

  #command(text: string): string {
    const verb = (/^[a-z]+/i.exec(text)?.[0] ?? '').toUpperCase();
    const rest = text.slice(verb.length).trim();
    switch (verb) {
      case 'HELO':
        this.#reset();
        return `250 ${this.#host}`;
      case 'EHLO':
        this.#reset();
        return [
          `250-${this.#host}`,
          '250-PIPELINING',
          `250-SIZE ${messageAtMost}`,
          '250-8BITMIME',
          '250-SMTPUTF8',
          '250 ENHANCEDSTATUSCODES',
        ].join('\r\n');
      case 'MAIL':
        return this.#mail(rest);
      case 'RCPT':
        return this.#rcpt(rest);
      case 'DATA':
        if (this.#recipients.length === 0) return '503 5.5.1 need RCPT first';
        this.#data = [];
        this.#octets = 0;
        return '354 end with a dot on a line of its own';
      case 'RSET':
        this.#reset();
        return '250 2.0.0 forgotten';
      case 'NOOP':
        return '250 2.0.0 OK';
      case 'VRFY':
        return '252 2.5.0 send some mail and see';
      case 'HELP':
        return '214 2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY QUIT';
      default:
        return verb === 'AUTH' || verb === 'STARTTLS' ? '502 5.5.1 not needed here' : '500 5.5.1 command not known';
    }
  }

  #mail(rest: string): string {
    if (this.#sender !== undefined) return '503 5.5.1 there is a sender already';
    const path = /^FROM:/i.test(rest) ? parsePath(rest.slice(5)) : undefined;
    if (!path) return '501 5.1.7 MAIL FROM:<address>';
    const parameters = path.rest.split(' ').filter(Boolean);
    const unknown = parameters.find((one) => !/^(?:SIZE=\d{1,20}|BODY=(?:7BIT|8BITMIME)|SMTPUTF8|AUTH=\S+)$/i.test(one));
    if (unknown !== undefined) return `555 5.5.4 ${unknown.slice(0, 60)} is not known`;
    const size = Number(parameters.map((one) => /^SIZE=(\d+)$/i.exec(one)?.[1]).find(Boolean) ?? 0);
    if (size > messageAtMost) return `552 5.3.4 at most ${messageAtMost} octets`;
    this.#sender = this.#needs.senderFor(path.address);
    return '250 2.1.0 sender ok';
  }

  #rcpt(rest: string): string {
    if (this.#sender === undefined) return '503 5.5.1 need MAIL first';
    const path = /^TO:/i.test(rest) ? parsePath(rest.slice(3)) : undefined;
    if (!path || path.address === '') return '501 5.1.3 RCPT TO:<address>';
    if (path.rest !== '') return `555 5.5.4 ${path.rest.slice(0, 60)} is not known`;
    if (this.#recipients.length >= recipientsAtMost) return '452 4.5.3 too many recipients';
    this.#recipients.push(path.address);
    return '250 2.1.5 recipient ok';
  }

  async #dataLine(line: Buffer, data: Buffer[]): Promise<void> {
    if (/^\.\r?\n$/.test(line.toString('latin1', 0, 3))) {
      const mail = { sender: this.#sender ?? '', recipients: this.#recipients, bytes: asMessage(Buffer.concat(data)) };
      const tooLarge = this.#octets > messageAtMost;
      this.#reset();
      try {
        if (tooLarge) throw new Fault('too-large', `a message may have at most ${messageAtMost} octets`);
        await this.#needs.submit(mail);
        this.#say('250 2.0.0 the message is in the queue');
      } catch (thrown) {
        this.#refuse(thrown);
      }
      return;
    }
    this.#octets += line.length;
    if (this.#octets > messageAtMost) data.length = 0;
    else data.push(line[0] === 0x2e ? line.subarray(1) : line);
  }

  #refuse(thrown: unknown): void {
    const fault = asFault(thrown);
    const [code, status] = replyOf(fault).smtp;
    this.#say(`${code} ${status} ${fault.say.replace(/[\r\n]+/g, ' ').slice(0, 400)}`);
  }

  #reset(): void {
    this.#sender = undefined;
    this.#recipients = [];
    this.#data = undefined;
  }
}

/** Each line with its end; what stands behind the last one is a line too. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let parts: Buffer[] = [];
  let held = 0;
  for await (const chunk of input) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield Buffer.concat([...parts, rest.subarray(0, end + 1)]);
      parts = [];
      held = 0;
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) parts.push(rest);
    held += rest.length;
    if (held > messageAtMost) throw new Fault('too-large', `a line of more than ${messageAtMost} octets`);
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}
