/** An SMTPD with everything around it played in memory, and a client that speaks SMTP line by line. */

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import forge from 'node-forge';
import {
  type Clock,
  constant,
  type DnsAnswer,
  Fault,
  type Live,
  LiveValue,
  type Log,
  type MxRecord,
  type Place,
  type Resolver,
  silentLog,
} from '../../src/base/index.ts';
import { type Blacklist, type Domain, type MtaPolicy, type Peer, peerSettings, type Recipient, type Spammer } from '../../src/dit/index.ts';
import type { MailAuthentication } from '../../src/mail-auth/index.ts';
import type { NewMessage, Queue } from '../../src/queue/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { createSmtpd, type Judge, type Smtpd, type SmtpdSettings, smtpdSettings } from '../../src/smtpd/index.ts';
import type { BlobInfo, Blobs, BlobWriter, KeyValue, Part } from '../../src/storage/index.ts';

export const policy: MtaPolicy = {
  host: 'mx.jade.example',
  domain: 'jade.example',
  defaultLocalChannel: 'LOCAL',
  unknownLocalChannel: 'bounce',
  internetChannel: 'SMTPC',
  postmaster: 'postmaster@jade.example',
};

export const user: Recipient = {
  dn: 'mail=ann@jade.example,dc=jade,dc=example',
  uuid: '6a0c7a34-3b6f-4a5b-a6ae-6f2b6d2c1f01',
  mail: 'ann@jade.example',
  kind: 'user',
  aliases: ['ann.jäger@jade.example', 'a.j@jade.example'],
  connectors: [],
  forwardTo: [],
  routingAddress: undefined,
  status: 'active',
  displayName: 'Ann',
  quota: undefined,
  permission: 'send-receive',
  login: true,
};

export class MemoryBlobs {
  readonly stored = new Map<string, Buffer>();
  open = 0;
  /** Octets of all messages. */
  written = 0;
  failing = false;

  create(): BlobWriter {
    const chunks: Buffer[] = [];
    this.open += 1;
    let closed = false;
    const close = (): void => {
      if (!closed) this.open -= 1;
      closed = true;
    };
    return {
      get size() {
        return chunks.reduce((sum, one) => sum + one.length, 0);
      },
      write: async (chunk) => {
        if (this.failing) throw new Error('disk on fire');
        chunks.push(Buffer.from(chunk));
        this.written += chunk.length;
      },
      commit: async (): Promise<BlobInfo> => {
        close();
        const bytes = Buffer.concat(chunks);
        const id = `b${this.stored.size + 1}`;
        this.stored.set(id, bytes);
        return { id, size: bytes.length };
      },
      abort: async () => close(),
    };
  }
}

const localDomain: Domain = { dn: 'dc=jade,dc=example', name: 'jade.example', aliasOf: undefined, subdomains: false, itself: true };

/** What the DNS has, by `TYPE name`; `sick` cannot be asked about. */
export type Zones = Record<string, readonly string[] | 'sick'>;

function zoneResolver(zones: Zones): Resolver {
  const answer = (type: string, name: string): DnsAnswer<string> => {
    const here = zones[`${type} ${name}`];
    if (here === 'sick') return { outcome: 'temporary', reason: 'the name server is away' };
    if (here) return { outcome: 'found', records: here, ttl: 60 };
    const exists = Object.keys(zones).some((key) => key.endsWith(` ${name}`));
    return { outcome: exists ? 'none' : 'no-such-domain', ttl: 60 };
  };
  const exchanges = (got: DnsAnswer<string>): DnsAnswer<MxRecord> =>
    got.outcome === 'found' ? { ...got, records: got.records.map((exchange) => ({ preference: 10, exchange })) } : got;
  return {
    mx: async (name) => exchanges(answer('MX', name)),
    addresses: async (name) => answer('A', name),
    ipv4: async (name) => answer('A', name),
    ptr: async (address) => answer('PTR', address),
    txt: async (name) => answer('TXT', name),
    tlsa: async () => ({ outcome: 'none', ttl: 60 }),
    alias: async () => ({ outcome: 'none', ttl: 60 }),
  };
}

/** As much of a key-value engine as counts need: one transaction at a time. */
export class MemoryKeyValue {
  readonly records = new Map<string, Uint8Array>();
  #turn: Promise<unknown> = Promise.resolve();

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.records.get(key);
  }

  transact<T>(part: Part<T>): Promise<T> {
    const run = async (): Promise<T> => {
      const {
        puts = [],
        deletes = [],
        result,
      } = await part({
        get: (key) => this.get(key),
        getNow: (key) => this.records.get(key),
        scan: async ({ from, to }) => [...this.records].filter(([key]) => key >= from && key < to),
      });
      for (const key of deletes) this.records.delete(key);
      for (const [key, value] of puts) this.records.set(key, value);
      return result;
    };
    const done = this.#turn.then(run);
    this.#turn = done.catch(() => {});
    return done;
  }
}

export interface World {
  readonly smtpd: Smtpd;
  readonly accepted: NewMessage[];
  readonly blobs: MemoryBlobs;
  readonly settings: LiveValue<SmtpdSettings>;
  readonly places: { smtp: LiveValue<Place>; submission: LiveValue<Place>; smtps: LiveValue<Place> };
  readonly tls: LiveValue<SecureContextOptions | undefined>;
  readonly logged: string[];
  /** What the directory and the queue do when asked. */
  readonly mood: {
    queue: () => Promise<void>;
    judge: Judge;
    free: number | undefined;
    readonly blacklists: Blacklist[];
    readonly spammers: Map<string, Spammer>;
    /** Entries beside that of Ann, by address. */
    readonly people: Map<string, Recipient>;
    /** By name or address. */
    readonly peers: Map<string, Partial<Peer>>;
    largestInbound: number;
    /** Messages that ETRN finds waiting, by domain. */
    readonly waiting: Map<string, number>;
  };
  readonly dns: Zones;
  bytes(index?: number): string;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly settings?: Partial<SmtpdSettings>;
  readonly tls?: SecureContextOptions | undefined;
  readonly clock?: Clock;
  readonly authentication?: MailAuthentication;
  /** Outlives the server. */
  readonly keyValue?: MemoryKeyValue;
  /** Gets the lines of conversations. */
  readonly conversations?: string[];
}

const known = new Set(['ann@jade.example', 'bob@jade.example', 'jürgen@jade.example', 'postmaster@jade.example', 'o"hara@jade.example']);

export const judge: Judge = async (address) => {
  const at = address.lastIndexOf('@');
  if (address.slice(at + 1) !== 'jade.example') return 'remote';
  return known.has(address.toLowerCase()) ? 'yes' : 'unknown';
};

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const accepted: NewMessage[] = [];
  const blobs = new MemoryBlobs();
  const logged: string[] = [];
  const here = (): LiveValue<Place> => new LiveValue<Place>({ host: '127.0.0.1', port: 0 });
  const places = { smtp: here(), submission: here(), smtps: here() };
  const settings = new LiveValue<SmtpdSettings>({ ...defaultsOf(smtpdSettings), loginFailureDelay: 0, ...options.settings });
  const tls = new LiveValue<SecureContextOptions | undefined>(options.tls);
  const mood: World['mood'] = {
    queue: async () => {},
    judge,
    free: undefined,
    blacklists: [],
    spammers: new Map(),
    people: new Map(),
    peers: new Map(),
    largestInbound: 0,
    waiting: new Map(),
  };
  const dns: Zones = {};
  const memory = options.keyValue ?? new MemoryKeyValue();
  let number = 0;
  const queue = {
    newId: () => `q${++number}`,
    submit: async (message: NewMessage) => {
      await mood.queue();
      accepted.push(message);
    },
    submitPart: (message: NewMessage) => async () => {
      await mood.queue();
      accepted.push(message);
      return { result: undefined };
    },
    // Each for two recipients.
    retryNow: async (_queue: string, identifier: string) => 2 * (mood.waiting.get(identifier) ?? 0),
    async *waiting() {},
    destinations: async (_queue: string, identifier: string) => [{ identifier, messages: mood.waiting.get(identifier) ?? 0 }],
    async *identifiers() {
      for (const identifier of mood.waiting.keys()) yield { identifier, nextAttempt: 0 };
    },
  } as unknown as Queue;
  const log: Log = {
    ...silentLog,
    enabled: (level) => level === 'message',
    message: (line) => logged.push(line),
    error: (line) => logged.push(`[Error] ${line}`),
    ...(options.conversations ? { enabled: () => true, smtp: (line: string) => void options.conversations?.push(line) } : {}),
  };
  const smtpd = createSmtpd({
    queue,
    blobs: blobs as unknown as Blobs,
    keyValue: memory as unknown as KeyValue,
    resolver: zoneResolver(dns),
    settingsEntry: 'cn=smtpd,cn=mailtree',
    judge: (address) => mood.judge(address),
    dit: {
      login: async (name, password) => {
        if (name === 'down') throw new Fault('unavailable', 'the directory is away');
        if (name !== 'ann' || password !== 'secret') throw new Fault('bad-credentials', 'no');
        return user;
      },
      domain: async (name) => (name === 'jade.example' ? localDomain : undefined),
      scram: undefined,
      blacklists: mood.blacklists,
      peer: (...names) => {
        const found = names.map((name) => mood.peers.get(name)).find((one) => one !== undefined);
        return { ...defaultsOf(peerSettings), peer: 'default', dn: undefined, saidBy: {}, ...found };
      },
      get largestInbound() {
        return mood.largestInbound;
      },
      spammer: (address) => mood.spammers.get(address) ?? mood.spammers.get(address.slice(address.lastIndexOf('@') + 1)),
      recipient: async (address) =>
        address.toLowerCase() === 'sales@alias.example' || address === user.mail ? user : mood.people.get(address),
    },
    settings,
    listeners: places,
    tls,
    mta: constant(policy) as Live<MtaPolicy>,
    log,
    freeSpace: async () => mood.free,
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.authentication ? { authentication: options.authentication } : {}),
  });
  await smtpd.start(() => {});
  return {
    smtpd,
    accepted,
    blobs,
    settings,
    places,
    tls,
    logged,
    mood,
    dns,
    bytes: (index = 0) => blobs.stored.get(accepted[index]?.blob.id ?? '')?.toString('latin1') ?? '',
    stop: () => smtpd.stop(),
  };
}

/** A client that waits for whole replies. */
export class Client {
  socket: Socket;
  #buffer = '';
  #waiting: (() => void) | undefined;
  ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#listen(socket);
  }

  #listen(socket: Socket): void {
    const wake = (): void => this.#waiting?.();
    socket.on('data', (chunk) => {
      this.#buffer += chunk.toString('utf8');
      wake();
    });
    const over = (): void => {
      if (socket !== this.socket) return;
      this.ended = true;
      wake();
    };
    socket.on('close', over);
    socket.on('error', over);
  }

  static async open(port: number | undefined, tls = false): Promise<Client> {
    const at = { host: '127.0.0.1', port: port ?? 0 };
    const socket = tls ? connectTls({ ...at, rejectUnauthorized: false }) : connectTcp(at);
    return new Client(socket);
  }

  /** The next whole reply, lines joined by `\n`; `(closed)` once the server has ended the connection. */
  async reply(): Promise<string> {
    for (;;) {
      const lines = this.#buffer.split('\r\n');
      const last = lines.slice(0, -1).findIndex((line) => /^\d{3}(?: |$)/.test(line));
      if (last >= 0) {
        this.#buffer = lines.slice(last + 1).join('\r\n');
        return lines.slice(0, last + 1).join('\n');
      }
      if (this.ended) return '(closed)';
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  /** Everything until the server closes. */
  async rest(): Promise<string[]> {
    const replies: string[] = [];
    for (;;) {
      const one = await this.reply();
      if (one === '(closed)') return replies;
      replies.push(one);
    }
  }

  write(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes);
  }

  /** Sends one line and returns its reply. */
  async say(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  async secure(): Promise<void> {
    const plain = this.socket;
    plain.removeAllListeners('data');
    const secure = connectTls({ socket: plain, rejectUnauthorized: false });
    this.socket = secure;
    this.#buffer = '';
    this.#listen(secure);
    await new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', () => resolve());
      secure.once('error', reject);
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A connection that has said EHLO. */
export async function greeted(world: World, kind: 'smtp' | 'submission' | 'smtps' = 'smtp'): Promise<Client> {
  const client = await Client.open(world.smtpd.port(kind), kind === 'smtps');
  await client.reply();
  await client.say('EHLO client.example');
  return client;
}

export const plain = (name: string, password: string): string => Buffer.from(`\0${name}\0${password}`).toString('base64');

let certificate: SecureContextOptions | undefined;

/** A self-signed certificate; made once a run. */
export function testCertificate(): SecureContextOptions {
  if (certificate) return certificate;
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const cert = forge.pki.createCertificate();
  cert.publicKey = keys.publicKey;
  cert.serialNumber = '01';
  cert.validity.notBefore = new Date(Date.now() - 86_400_000);
  cert.validity.notAfter = new Date(Date.now() + 86_400_000);
  cert.setSubject([{ name: 'commonName', value: 'mx.jade.example' }]);
  cert.setIssuer([{ name: 'commonName', value: 'mx.jade.example' }]);
  cert.sign(keys.privateKey, forge.md.sha256.create());
  certificate = { key: forge.pki.privateKeyToPem(keys.privateKey), cert: forge.pki.certificateToPem(cert) };
  return certificate;
}
