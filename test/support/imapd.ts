/**
 * An IMAP server on a real store in a temporary directory, with accounts user1@jade.net and user2@jade.net (password `secret`),
 * and a client that speaks lines.
 *
 * Run by itself (`npx tsx test/support/imapd.ts [port]`) it stays up for trying mail programs by hand.
 */

import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import forge from 'node-forge';
import { type Clock, constant, Fault, LiveValue, type Log, ManualClock, silentLog, systemClock } from '../../src/base/index.ts';
import type { Dit, Recipient } from '../../src/dit/index.ts';
import { createImapd, type Imapd, type ImapdSettings, imapdSettings } from '../../src/imapd/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { type Blobs, openBlobs, openKeyValue } from '../../src/storage/index.ts';
import { type OpenStore, openStore } from '../../src/store/index.ts';
import { tempDir } from './temp.ts';

export const password = 'secret';

function account(mail: string, uuid: string): Recipient {
  return {
    dn: `mail=${mail},dc=jade,dc=net`,
    uuid,
    mail,
    kind: 'user',
    aliases: [],
    connectors: [],
    forwardTo: [],
    routingAddress: undefined,
    status: 'active',
    displayName: undefined,
    quota: undefined,
    permission: 'send-receive',
    login: true,
  };
}

export const accounts = [
  account('user1@jade.net', '11111111-0000-4000-8000-000000000001'),
  account('user2@jade.net', '11111111-0000-4000-8000-000000000002'),
  account('jörg@jade.net', '11111111-0000-4000-8000-000000000003'),
] as const;

const dit: Pick<Dit, 'login'> = {
  async login(name, given) {
    const found = accounts.find(({ mail }) => mail === name.toLowerCase());
    if (!found || given !== password) throw new Fault('bad-credentials', 'wrong user name or password');
    return found;
  },
};

export interface ImapBench {
  readonly imapd: Imapd;
  readonly store: OpenStore;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly settings: LiveValue<ImapdSettings>;
  readonly port: number;
  readonly tlsPort: number;
  client(): Promise<LineClient>;
  /** Logged in as user1. */
  user(name?: string): Promise<LineClient>;
  close(): Promise<void>;
}

export interface ImapBenchOptions {
  readonly clock?: Clock;
  readonly settings?: Partial<ImapdSettings>;
  readonly log?: Log;
  readonly port?: number;
  readonly tls?: boolean;
  /** Changes what the door sees of the store. */
  readonly wrap?: (store: OpenStore) => OpenStore;
}

export async function openImapBench(options: ImapBenchOptions = {}): Promise<ImapBench> {
  const dir = await tempDir();
  const clock = options.clock ?? new ManualClock();
  const keyValue = await openKeyValue({ path: join(dir.path, 'keys'), clock, log: silentLog });
  const blobs = await openBlobs({ path: join(dir.path, 'blobs'), clock, log: silentLog });
  const opened = await openStore({ keyValue, blobs, clock });
  const store = options.wrap ? options.wrap(opened) : opened;
  const settings = new LiveValue<ImapdSettings>({ ...defaultsOf(imapdSettings), ...options.settings });
  const imapd = createImapd({
    store,
    blobs,
    dit,
    settings,
    listeners: { imap: constant({ host: '127.0.0.1', port: options.port ?? 0 }), imaps: constant({ host: '127.0.0.1', port: 0 }) },
    tls: constant(options.tls === false ? undefined : certificate()),
    log: options.log ?? silentLog,
    clock,
    host: () => 'mail.jade.net',
  });
  await imapd.start(() => {});
  const portOf = (address: ReturnType<Imapd['addresses']>['imap']): number => (typeof address === 'object' ? address.port : 0);
  const { imap, imaps } = imapd.addresses();
  const port = portOf(imap);
  return {
    imapd,
    store,
    blobs,
    clock,
    settings,
    port,
    tlsPort: portOf(imaps),
    client: () => LineClient.open(port),
    async user(name = 'user1@jade.net') {
      const client = await LineClient.open(port);
      await client.expectLine(/^\* OK /);
      await client.ok(`LOGIN ${name} ${password}`);
      return client;
    },
    async close() {
      await imapd.stop();
      await opened.close();
      await blobs.close();
      await keyValue.close();
      await dir.remove();
    },
  };
}

let made: SecureContextOptions | undefined;
/** Self-signed, for `localhost`. */
export function certificate(): SecureContextOptions {
  if (made) return made;
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const cert = forge.pki.createCertificate();
  cert.publicKey = keys.publicKey;
  cert.serialNumber = '01';
  cert.validity.notBefore = new Date(Date.now() - 86_400_000);
  cert.validity.notAfter = new Date(Date.now() + 86_400_000);
  const name = [{ name: 'commonName', value: 'localhost' }];
  cert.setSubject(name);
  cert.setIssuer(name);
  cert.sign(keys.privateKey, forge.md.sha256.create());
  made = { key: forge.pki.privateKeyToPem(keys.privateKey), cert: forge.pki.certificateToPem(cert) };
  return made;
}

/** Sends lines, reads lines; a response with literals is one line with CRLF in it. Text is one character an octet. */
export class LineClient {
  #socket: Socket;
  #buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;
  #tags = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake?.();
    });
    socket.on('error', () => {});
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        if (socket !== this.#socket) return;
        this.#ended = true;
        this.#wake?.();
      });
    }
  }

  static open(port: number): Promise<LineClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => resolve(new LineClient(socket)));
      socket.once('error', reject);
    });
  }

  /** Goes on with TLS. */
  startTls(): Promise<void> {
    this.#socket.removeAllListeners('data');
    const plain = this.#socket;
    return new Promise((resolve, reject) => {
      const secure = connectTls({ socket: plain, rejectUnauthorized: false }, () => resolve());
      secure.once('error', reject);
      this.#socket = secure;
      this.#listen(secure);
    });
  }

  send(text: string | Uint8Array): void {
    this.#socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** The next response line with its literals; undefined at the end of the connection. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const found = this.#whole();
      if (found !== undefined) return found;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = () => {
          this.#wake = undefined;
          resolve();
        };
      });
    }
  }

  #whole(): string | undefined {
    let at = 0;
    for (;;) {
      const end = this.#buffer.indexOf('\r\n', at, 'latin1');
      if (end < 0) return undefined;
      const literal = /\{(\d+)\}$/.exec(this.#buffer.toString('latin1', at, end));
      if (!literal) {
        const text = this.#buffer.toString('latin1', 0, end);
        this.#buffer = this.#buffer.subarray(end + 2);
        return text;
      }
      at = end + 2 + Number(literal[1]);
      if (at > this.#buffer.length) return undefined;
    }
  }

  async expectLine(pattern: RegExp): Promise<string> {
    const line = await this.line();
    if (line === undefined || !pattern.test(line)) throw new Error(`expected ${pattern}, got ${line}`);
    return line;
  }

  /** Sends a command (with a tag) and collects everything up to its reply, which comes last, without the tag. */
  async run(command: string): Promise<string[]> {
    this.#tags += 1;
    const tag = `t${this.#tags}`;
    this.send(`${tag} ${command}\r\n`);
    return this.until(tag);
  }

  async until(tag: string): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      if (line === undefined) throw new Error(`connection closed after ${JSON.stringify(lines)}`);
      if (line.startsWith(`${tag} `)) return [...lines, line.slice(tag.length + 1)];
      lines.push(line);
    }
  }

  /** Runs a command that must succeed; its untagged responses. */
  async ok(command: string): Promise<string[]> {
    const lines = await this.run(command);
    if (!lines.at(-1)?.startsWith('OK')) throw new Error(`${command}: ${lines.at(-1)}`);
    return lines.slice(0, -1);
  }

  /** The tagged reply alone. */
  async reply(command: string): Promise<string> {
    return (await this.run(command)).at(-1)!;
  }

  /** APPEND with a non-synchronising literal; the tagged reply. */
  append(mailbox: string, message: string | Uint8Array, rest = ''): Promise<string> {
    const octets = typeof message === 'string' ? Buffer.from(message, 'latin1') : message;
    return this.reply(`APPEND ${mailbox} ${rest}{${octets.length}+}\r\n${Buffer.from(octets).toString('latin1')}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

if (process.argv[1]?.endsWith('test/support/imapd.ts')) {
  const bench = await openImapBench({ clock: systemClock, port: Number(process.argv[2] ?? 0) });
  process.stdout.write(`IMAP 127.0.0.1:${bench.port}, TLS ${bench.tlsPort}, ${accounts[0].mail} ${password}\n`);
  setInterval(() => {}, 1_000_000);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void bench.close().then(() => process.exit(0)));
}
