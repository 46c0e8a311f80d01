/** An SMTPC with a real queue in a temporary directory, a DNS that is a table, and another server that does as it is told. */

import {
  constant,
  type DnsAnswer,
  LiveValue,
  type Log,
  ManualClock,
  type MxRecord,
  type Resolver,
  silentLog,
  systemClock,
  type TlsaRecord,
} from '../../src/base/index.ts';
import { type MtaPolicy, type Peer, type PeerPolicy, peerSettings } from '../../src/dit/index.ts';
import { type NewMessage, type NewRecipient, type OpenQueue, openQueue, type QueuedMessage } from '../../src/queue/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { createSmtpc, type SmtpcComponent, type SmtpcOptions, type SmtpcSettings, smtpcSettings } from '../../src/smtpc/index.ts';
import { type FileBlobs, type LevelKeyValue, openBlobs, openKeyValue } from '../../src/storage/index.ts';
import { Business } from '../support/business.ts';
import { type Sink, type SinkScript, startSink } from '../support/smtp-sink.ts';
import { tempDir } from '../support/temp.ts';

const policy: MtaPolicy = {
  host: 'mx.jade.example',
  domain: 'jade.example',
  defaultLocalChannel: 'LOCAL',
  unknownLocalChannel: 'bounce',
  internetChannel: 'SMTPC',
  postmaster: 'postmaster@jade.example',
};

export interface Zone {
  mx?: readonly MxRecord[] | 'gone' | 'sick';
  a?: readonly string[] | 'sick';
  txt?: readonly string[] | 'sick';
  tlsa?: readonly TlsaRecord[] | 'sick';
  /** All that is said of it is signed, that there is no such name below it, too. */
  secure?: boolean;
  alias?: string;
}

export function tableResolver(zones: Record<string, Zone>, onHanging: (name: string) => void): Resolver {
  const above = (name: string): string[] => [...name.matchAll(/\./g)].map(({ index }) => name.slice(index + 1));
  const secure = (name: string): boolean => zones[name]?.secure ?? above(name).some((one) => zones[one]?.secure);
  const found = <T>(name: string, records: readonly T[] | undefined): DnsAnswer<T> =>
    records && records.length > 0
      ? { outcome: 'found', records, ttl: 60, secure: secure(name) }
      : { outcome: 'none', ttl: 60, secure: secure(name) };
  const sick = { outcome: 'temporary', reason: 'the name server answered SERVFAIL' } as const;
  return {
    mx: async (name) => {
      if (name === 'hanging.example' || name.endsWith('.hanging.example')) {
        onHanging(name);
        return new Promise(() => {});
      }
      const mx = zones[name]?.mx;
      if (mx === 'sick') return sick;
      return mx === 'gone' || !zones[name] ? { outcome: 'no-such-domain', ttl: 60 } : found(name, mx);
    },
    addresses: async (name) => {
      const { alias } = zones[name] ?? {};
      const a = zones[alias ?? name]?.a;
      if (a === 'sick') return sick;
      const answer = found(name, a);
      return alias === undefined || answer.outcome !== 'found'
        ? answer
        : { ...answer, secure: secure(name) && secure(alias), canonical: alias };
    },
    ipv4: async () => ({ outcome: 'none', ttl: 60 }),
    ptr: async () => ({ outcome: 'none', ttl: 60 }),
    txt: async (name) => {
      const txt = zones[name]?.txt;
      return txt === 'sick' ? sick : found(name, txt);
    },
    tlsa: async (name) => {
      const tlsa = zones[name]?.tlsa;
      return tlsa === 'sick' ? sick : found(name, tlsa);
    },
    alias: async (name) => found(name, zones[name]?.alias === undefined ? undefined : [zones[name]?.alias as string]),
  };
}

/** A peer that says these things of itself, and has the defaults else. */
export const peerThat = (says: Partial<PeerPolicy>): Peer => ({
  ...defaultsOf(peerSettings),
  ...says,
  peer: 'default',
  dn: 'cn=default',
  saidBy: Object.fromEntries(Object.keys(says).map((key) => [key, 'cn=default'])),
});

/** A clock that somebody puts forward or back; timers run on as they were. */
class JumpingClock extends ManualClock {
  off = 0;

  override now(): number {
    return super.now() + this.off;
  }
}

export interface World {
  readonly sink: Sink;
  readonly clock: JumpingClock;
  readonly queue: OpenQueue;
  readonly blobs: FileBlobs;
  readonly keyValue: LevelKeyValue;
  readonly settings: LiveValue<SmtpcSettings>;
  readonly zones: Record<string, Zone>;
  /** What is agreed with destinations; the defaults with all others. */
  readonly peers: Record<string, Partial<PeerPolicy>>;
  readonly smtpc: SmtpcComponent;
  /** Lines about messages and errors. */
  readonly logged: string[];
  /** Lines of the level smtp. */
  readonly said: string[];
  /** Somebody waits for the answer about `hanging.example`, or a name below it, which never comes. */
  hanging(): boolean;
  /** Names for which somebody waits that way. */
  readonly hung: ReadonlySet<string>;
  /** Queues a message for SMTPC. */
  queued(recipients: readonly (string | NewRecipient)[], more?: Partial<NewMessage> & { text?: string }): Promise<string>;
  /** Waits until so many lines that begin with one of these words were logged. */
  until(count: number, words?: RegExp): Promise<void>;
  /** Waits until nothing is under way any more: what happens now happens because of time that passes, or of somebody outside. */
  calm(): Promise<void>;
  /** The notices that wait in the input queue: message and text. */
  notices(): Promise<{ message: QueuedMessage; to: readonly string[]; text: string }[]>;
  stop(): Promise<void>;
}

export async function startWorld(
  script: SinkScript = {},
  changed: Partial<SmtpcSettings> = {},
  more: Partial<SmtpcOptions> = {},
): Promise<World> {
  const dir = await tempDir();
  const sink = await startSink(script);
  const clock = new JumpingClock();
  const logged: string[] = [];
  const said: string[] = [];
  const log: Log = {
    ...silentLog,
    enabled: (level) => level === 'message' || level === 'smtp',
    smtp: (line) => said.push(line),
    message: (line) => logged.push(line),
    error: (line, cause) => logged.push(`[Error] ${line} ${cause}`),
    warning: (line) => logged.push(`[Warning] ${line}`),
  };
  const business = new Business();
  const keyValue = business.watch(await openKeyValue({ path: `${dir.path}/kv`, clock: systemClock }));
  const blobs = business.watch(await openBlobs({ path: `${dir.path}/blobs`, clock: systemClock }));
  const queue = await openQueue({ keyValue, clock, log, random: Math.random, epoch: 1 });
  const settings = new LiveValue<SmtpcSettings>({ ...defaultsOf(smtpcSettings), port: sink.port, ...changed });
  const zones: Record<string, Zone> = {
    'dest.example': { mx: [{ preference: 10, exchange: 'mx.dest.example' }] },
    'mx.dest.example': { a: ['127.0.0.1'] },
  };
  const peers: Record<string, Partial<PeerPolicy>> = {};
  const hung = new Set<string>();
  const resolver = tableResolver(zones, (name) => hung.add(name));
  const smtpc = createSmtpc({
    queue,
    keyValue,
    blobs,
    resolver,
    settings,
    peer: (destination) => peerThat(peers[destination] ?? {}),
    mta: constant(policy),
    log,
    clock,
    random: () => 0,
    ...more,
  });
  await smtpc.start(() => {});
  const calm = (): Promise<void> =>
    business.rest(() =>
      [sink.heard.length, sink.messages.length, sink.connections, sink.open, logged.length, said.length, hung.size].join(),
    );
  return {
    calm,
    sink,
    clock,
    queue,
    blobs,
    keyValue,
    settings,
    zones,
    peers,
    smtpc,
    logged,
    said,
    hanging: () => hung.size > 0,
    hung,
    async queued(recipients, more = {}) {
      const { text = 'Subject: hi\r\n\r\nhello\r\n', ...rest } = more;
      const id = queue.newId();
      await queue.submit({
        id,
        sender: 'ann@jade.example',
        recipients: recipients.map((one) => (typeof one === 'string' ? { address: one } : one)),
        blob: await blobs.put(Buffer.from(text, 'latin1')),
        prefix: `Received: by mx.jade.example id ${id}\r\n`,
        inputChannel: 'LOCALOUT',
        origin: {},
        smtputf8: false,
        eightBit: false,
        arrivedAt: clock.now(),
        ...rest,
      });
      for (const lease of await queue.lease('INPUT', 10)) {
        if (lease.message.id !== id) continue;
        await queue.file(
          lease,
          lease.recipients.map(({ number, address }) => ({
            from: number,
            to: [{ address, queue: 'SMTPC' as const, identifier: address.slice(address.lastIndexOf('@') + 1) }],
          })),
        );
      }
      return id;
    },
    async until(count, words = /^(Sent|Deferred|Rejected|\[Error\])/) {
      while (logged.filter((line) => words.test(line)).length < count) await new Promise((resolve) => setTimeout(resolve, 2));
      // What is logged is committed right afterwards.
      await keyValue.flush();
      await calm();
    },
    async notices() {
      const found: { message: QueuedMessage; to: readonly string[]; text: string }[] = [];
      for await (const { message, recipients } of queue.list({ queue: 'INPUT' })) {
        found.push({
          message,
          to: recipients.map((one) => one.address),
          text: Buffer.from(await blobs.read(message.blob.id)).toString('utf8'),
        });
      }
      return found;
    },
    async stop() {
      await smtpc.stop();
      await sink.stop();
      queue.close();
      await keyValue.close();
      await blobs.close();
      await dir.remove();
    },
  };
}
