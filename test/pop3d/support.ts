/** A POP3 server over a small store in memory, and a client that speaks lines. Accounts: user1@jade.net, jörg@jade.net; password `secret`. */

import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import { constant, Fault, LiveValue, ManualClock, silentLog } from '../../src/base/index.ts';
import { createPop3d, type Pop3d, type Pop3dOptions, type Pop3dSettings, pop3dSettings } from '../../src/pop3d/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';

export type MemoryStore = Pop3dOptions['store'] & {
  messages: Map<number, Buffer>;
  removals: number[][];
  failRemove: boolean;
};

/** One INBOX with UIDVALIDITY 7, the same for every account. */
export function memoryStore(texts: readonly string[]): MemoryStore {
  const messages = new Map(texts.map((text, n) => [n + 11, Buffer.from(text, 'utf8')]));
  const entry = (uid: number, bytes: Buffer) => ({ uid, flags: [], modSeq: 1, size: bytes.length, internalDate: 0 });
  const store = {
    messages,
    removals: [] as number[][],
    failRemove: false,
    async ensureAccount() {},
    async mailbox(_account: string, name: string) {
      return name === 'INBOX' ? { id: 1, name, uidValidity: 7 } : undefined;
    },
    async index() {
      return [...messages].map(([uid, bytes]) => entry(uid, bytes));
    },
    async source(_account: string, _mailbox: number, uid: number) {
      const bytes = messages.get(uid);
      return bytes && { blob: { id: String(uid), size: bytes.length }, prefix: '' };
    },
    async read() {
      return new Uint8Array(1);
    },
    async *stream({ blob }: { blob: { id: string } }) {
      const bytes = messages.get(Number(blob.id))!;
      for (let at = 0; at < bytes.length; at += 5000) yield bytes.subarray(at, at + 5000);
    },
    async remove(_account: string, _mailbox: number, uids: number[]) {
      if (store.failRemove) throw new Fault('unavailable', 'the store is away');
      store.removals.push(uids);
      for (const uid of uids) messages.delete(uid);
    },
  };
  return store as unknown as MemoryStore;
}

const account = (mail: string) => ({
  dn: `mail=${mail},dc=jade,dc=net`,
  uuid: mail,
  mail,
  kind: 'user' as const,
  aliases: [],
  connectors: [],
  forwardTo: [],
  routingAddress: undefined,
  status: 'active' as const,
  displayName: undefined,
  quota: undefined,
  permission: 'send-receive' as const,
  login: true,
});

export const dit: Pop3dOptions['dit'] = {
  async login(name, password) {
    if (name === 'away@jade.net') throw new Fault('unavailable', 'the directory is away');
    if (name === 'broken@jade.net') throw new TypeError('secret detail');
    if (!['user1@jade.net', 'jörg@jade.net'].includes(name) || password !== 'secret') {
      throw new Fault('bad-credentials', 'wrong user name or password');
    }
    return account(name);
  },
};

export interface Bench {
  readonly pop3d: Pop3d;
  readonly store: MemoryStore;
  readonly clock: ManualClock;
  readonly settings: LiveValue<Pop3dSettings>;
  /** Connected, greeting read. */
  client(): Promise<Client>;
  secureClient(): Promise<Client>;
  user(): Promise<Client>;
  close(): Promise<void>;
}

export async function openBench(
  texts: readonly string[] = [],
  options: { settings?: Partial<Pop3dSettings>; tls?: SecureContextOptions } = {},
): Promise<Bench> {
  const store = memoryStore(texts);
  const clock = new ManualClock();
  const settings = new LiveValue<Pop3dSettings>({ ...defaultsOf(pop3dSettings), ...options.settings });
  const anywhere = constant({ host: '127.0.0.1', port: 0 });
  const pop3d = createPop3d({
    store,
    dit,
    settings,
    listeners: { pop3: anywhere, pop3s: options.tls ? anywhere : constant('off') },
    tls: constant(options.tls),
    log: silentLog,
    clock,
    host: () => 'mail.jade.net',
  });
  await pop3d.start(() => {});
  const clients: Client[] = [];
  const port = (which: 'pop3' | 'pop3s'): number => (pop3d.addresses()[which] as AddressInfo).port;
  const ready = async (socket: Socket): Promise<Client> => {
    const client = new Client(socket);
    clients.push(client);
    await client.line();
    return client;
  };
  return {
    pop3d,
    store,
    clock,
    settings,
    client: () => ready(connect(port('pop3'), '127.0.0.1')),
    secureClient: () => ready(connectTls({ port: port('pop3s'), host: '127.0.0.1', rejectUnauthorized: false })),
    async user() {
      const client = await ready(connect(port('pop3'), '127.0.0.1'));
      await client.ask('USER user1@jade.net');
      const reply = await client.ask('PASS secret');
      if (!reply.startsWith('+OK')) throw new Error(reply);
      return client;
    },
    async close() {
      for (const client of clients) client.socket.destroy();
      await pop3d.stop();
    },
  };
}

export class Client {
  socket: Socket;
  #buffer = '';
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#listen();
  }

  #listen(): void {
    const { socket } = this;
    socket.on('data', (data: Buffer) => {
      this.#buffer += data.toString('latin1');
      this.#wake?.();
    });
    socket.on('error', () => {});
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        if (socket === this.socket) this.#ended = true;
        this.#wake?.();
      });
    }
  }

  startTls(): Promise<void> {
    this.socket.removeAllListeners('data');
    return new Promise((resolve) => {
      this.socket = connectTls({ socket: this.socket, rejectUnauthorized: false }, () => resolve());
      this.#listen();
    });
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, 'utf8'));
  }

  /** The next line; `closed` at the end. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#buffer.slice(0, end);
        this.#buffer = this.#buffer.slice(end + 2);
        return line;
      }
      if (this.#ended) return 'closed';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  ask(command: string): Promise<string> {
    this.send(`${command}\r\n`);
    return this.line();
  }

  /** The lines of a multi-line reply, dots taken off again. */
  async body(): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      if (line === '.' || line === 'closed') return line === '.' ? lines : [...lines, line];
      lines.push(line.startsWith('.') ? line.slice(1) : line);
    }
  }

  async multi(command: string): Promise<string[]> {
    const reply = await this.ask(command);
    return reply.startsWith('+OK') ? this.body() : [reply];
  }
}
