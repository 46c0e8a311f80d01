/**
 * A listening port that follows its setting: every door that speaks over TCP (or a Unix socket) uses this one.
 *
 * Promise: a move opens the new port before it closes the old one and drops nobody; with `tls` the handshake is done, with the
 * certificate of that moment, before a connection is handed on; limits hold in total and per address (of IPv6: per /64 network, see `clientNetwork`); no socket error goes
 * unheard; `stop` ends within its grace whatever the peers do. While there is no certificate an implicit-TLS port is closed.
 * What is said over a connection, idle times and a word of farewell are the door's business.
 * Spec: RFC 8314 §3 (implicit TLS)
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { type Clock, systemClock } from './clock.ts';
import { connectionsWithin, descriptorLimit } from './descriptors.ts';
import { asFault, Fault } from './fault.ts';
import { clientNetwork } from './ip-set.ts';
import { bind, type Place, placeName, samePlace } from './listener-bind.ts';
import type { Live } from './live.ts';
import type { Log } from './log.ts';
import { counter } from './metrics.ts';
import { TurnedAway } from './turned-away.ts';

export interface ListenerOptions {
  /** For log lines: `POP3D`, `POP3D (TLS)` … */
  readonly name: string;
  /** Port 0 is a free one; see `address`. */
  readonly where: Live<Place>;
  /** Given: implicit TLS. */
  readonly tls?: Live<SecureContextOptions | undefined>;
  readonly maxConnections: () => number;
  readonly maxPerAddress?: () => number;
  /** False closes the connection without a word. */
  readonly admits?: (address: string) => boolean;
  readonly onConnection: (socket: Socket | TLSSocket) => void;
  /**
   * Ends a connection that can be spared, so that a new one has room where a limit is reached: one of this client, by its `clientNetwork`, where one is given.
   * False where there is none. See `endHandshake` for connections that the door does not know yet.
   */
  readonly makeRoom?: (client: string | undefined) => boolean;
  /** Says why a connection over a limit is turned away; the listener ends it afterwards. Not called on implicit-TLS ports. */
  readonly onSurplus?: (socket: Socket) => void;
  /** The peer may close its half and still be answered; the door must then end its own half. Off by default. */
  readonly halfOpen?: boolean;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Listener {
  /** Resolves when it listens (or is `off`); Fault `unavailable` when the port cannot be had. */
  start(): Promise<void>;
  /** Stops listening at once; connections get `graceMs` milliseconds to end and are then cut. */
  stop(graceMs: number): Promise<void>;
  /** Where it listens now; a string is a Unix socket's path. */
  address(): AddressInfo | string | undefined;
  /** Why the wanted place is not the one it listens on. */
  readonly problem: string | undefined;
  /** Open connections, handshakes included. */
  readonly connections: number;
  /**
   * Ends the oldest connection (of this client, where one is given) whose TLS handshake is not done, if it came before a moment of
   * `performance.now()`; false where there is none.
   */
  endHandshake(client: string | undefined, before: number): boolean;
}

const connections = counter('mailtree_connections_total', 'Connections taken, by listener.', ['listener']);
const refused = counter('mailtree_connections_refused_total', 'Connections turned away, by listener and reason.', ['listener', 'reason']);
const gates = new Map<string, () => number>();

/** Connections of all doors that are being told that there are too many. */
let told = 0;

function openTogether(): number {
  let sum = told;
  for (const size of gates.values()) sum += size();
  return sum;
}

function mostTogether(): number {
  const limit = descriptorLimit();
  return limit === undefined ? Number.POSITIVE_INFINITY : connectionsWithin(limit);
}

const crowdLineEvery = 600_000;
let crowdLineAt = Number.NEGATIVE_INFINITY;

/** Why doors turn away clients whom their settings have room for. */
function noteCrowd(log: Log, clock: Clock): void {
  const now = clock.now();
  if (now >= crowdLineAt && now < crowdLineAt + crowdLineEvery) return;
  crowdLineAt = now;
  log.warning(
    `all doors together have ${openTogether()} connections, and more are turned away: this process may have ${descriptorLimit()} file descriptors (ulimit -n, LimitNOFILE=) and keeps the rest for files`,
  );
}
const handshakeMs = 30_000;
const surplusMs = 2_000;
/** Connections being told at one time that there are too many; more are closed without a word. */
const surplusAtOnce = 64;
/** The same of all doors, where descriptors are short. */
const surplusInCrowd = 16;

/** The peer's address without the prefix of IPv4-mapped IPv6; empty for a Unix socket. */
export function peerAddress(socket: Socket): string {
  const address = socket.remoteAddress ?? '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

export function createListener(options: ListenerOptions): Listener {
  const { name, log } = options;
  const clock = options.clock ?? systemClock;
  const gate = createGate(options, clock);
  let server: Server | undefined;
  let current: Place = 'off';
  let cancels: (() => void)[] = [];
  let work: Promise<void> = Promise.resolve();
  let running = false;
  let problem: string | undefined;

  const wanted = (): Place => (options.tls && !options.tls.value ? 'off' : options.where.value);
  const close = (): void => {
    server?.close();
    server = undefined;
    current = 'off';
  };
  const open = async (place: Exclude<Place, 'off'>): Promise<Server> => {
    const made = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: options.halfOpen ?? false });
    made.on('connection', gate.take);
    await bind(made, place);
    made.on('error', (error) => log.error(`${name}: ${placeName(place)}`, error));
    return made;
  };
  /** Brings the open port in line with the setting. Keeps the old port where the new one cannot be had. */
  const follow = async (): Promise<void> => {
    problem = undefined;
    const place = wanted();
    if (samePlace(place, current)) return;
    if (place === 'off') return close();
    const [before, old] = [current, server];
    let made: Server;
    try {
      made = await open(place);
    } catch (thrown) {
      // The same port on another address overlaps with the one held: only closing the old one first can work.
      if (!old || before === 'off' || !samePort(place, old)) throw thrown;
      close();
      try {
        made = await open(place);
      } catch (again) {
        server = await open(before);
        current = before;
        throw again;
      }
    }
    if (server === old) old?.close();
    server = made;
    current = place;
    log.info(`listening on ${placeName(place)}`);
  };
  const changed = (): void => {
    work = work
      .then(() => (running ? follow() : undefined))
      .catch((thrown) => {
        problem = `${name}: ${asFault(thrown).say}; ${placeName(current)} is kept`;
        log.error(`${name}: the changed address is not used, ${placeName(current)} is kept`, thrown);
      });
  };

  return {
    async start() {
      if (running) return;
      gate.open();
      running = true;
      if (options.tls && !options.tls.value && options.where.value !== 'off') log.warning(`${name}: no certificate, the port stays closed`);
      try {
        await follow();
      } catch (thrown) {
        running = false;
        throw thrown;
      }
      cancels = [options.where.onChange(changed), ...(options.tls ? [options.tls.onChange(changed)] : [])];
    },
    async stop(graceMs) {
      running = false;
      for (const cancel of cancels) cancel();
      cancels = [];
      await work;
      close();
      await gate.empty(graceMs);
    },
    address: () => server?.address() ?? undefined,
    get problem() {
      return problem;
    },
    get connections() {
      return gate.size();
    },
    endHandshake: gate.endHandshake,
  };
}

function samePort(place: Exclude<Place, 'off'>, held: Server): boolean {
  const address = held.address();
  return 'port' in place && typeof address === 'object' && address?.port === place.port;
}

/** The other end: tells connections of one listener apart. */
const endOf = (socket: Socket): string => `${socket.remoteAddress ?? ''} ${socket.remotePort ?? ''}`;

/** Connections open now, by listener. */
export function openConnections(): readonly { readonly listener: string; readonly open: number }[] {
  return [...gates].map(([listener, open]) => ({ listener, open: open() }));
}

interface Gate {
  open(): void;
  take(socket: Socket): void;
  empty(graceMs: number): Promise<void>;
  size(): number;
  endHandshake(client: string | undefined, before: number): boolean;
}

/** Counts, limits and hands on what was accepted. */
function createGate(options: ListenerOptions, clock: Clock): Gate {
  const { name, log } = options;
  const open = new Set<Socket>();
  const crowd = new TurnedAway(name, log, clock);
  const perClient = new Map<string, number>();
  /** Connections whose TLS handshake is not done, the oldest first. */
  const handshakes = new Map<string, { readonly socket: Socket; readonly since: number }>();
  let surplus = 0;
  let onEmpty: (() => void) | undefined;
  let tlsServer: TlsServer | undefined;

  const hand = (socket: Socket | TLSSocket): void => {
    handshakes.delete(endOf(socket));
    try {
      options.onConnection(socket);
    } catch (thrown) {
      log.error(`${name}: connection from ${peerAddress(socket)}`, thrown);
      socket.destroy();
    }
  };
  const endHandshake = (client: string | undefined, before: number): boolean => {
    for (const { socket, since } of handshakes.values()) {
      if (since >= before) return false;
      if (client !== undefined && clientNetwork(peerAddress(socket)) !== client) continue;
      handshakes.delete(endOf(socket));
      socket.destroy();
      return true;
    }
    return false;
  };
  const turnAway = (socket: Socket): void => {
    const tooMany = surplus >= surplusAtOnce || openTogether() >= mostTogether() + surplusInCrowd;
    if (!options.onSurplus || options.tls || tooMany) {
      socket.destroy();
      return;
    }
    surplus += 1;
    told += 1;
    socket.once('close', () => {
      surplus -= 1;
      told -= 1;
    });
    const cancel = clock.after(surplusMs, () => socket.destroy());
    socket.once('close', cancel);
    options.onSurplus(socket);
    socket.end();
    socket.resume();
  };

  return {
    open() {
      gates.set(name, () => open.size);
      if (options.tls) tlsServer ??= createHandshaker(options.tls, options, hand);
    },
    take(socket) {
      socket.on('error', (error) => log.diagnostic(`${name}: ${peerAddress(socket)}: ${error.message}`));
      const address = peerAddress(socket);
      const client = clientNetwork(address);
      const here = perClient.get(client) ?? 0;
      if (options.admits && !options.admits(address)) {
        refused.count(name, 'not admitted');
        log.info(`${name}: connection from ${address} not admitted`);
        socket.destroy();
        return;
      }
      const most = options.maxPerAddress?.() ?? Number.POSITIVE_INFINITY;
      // Who comes by a socket of this host may be here to see what is wrong.
      const crowded = address !== '' && openTogether() >= mostTogether();
      const full = crowded || open.size >= options.maxConnections();
      if ((full || (address !== '' && here >= most)) && !options.makeRoom?.(full ? undefined : client)) {
        crowd.note(address, crowded ? openTogether() : open.size, !full);
        if (crowded) noteCrowd(log, clock);
        refused.count(name, full ? 'limit' : 'limit of the address');
        turnAway(socket);
        return;
      }
      open.add(socket);
      connections.count(name);
      perClient.set(client, (perClient.get(client) ?? 0) + 1);
      socket.once('close', () => {
        open.delete(socket);
        handshakes.delete(endOf(socket));
        const left = (perClient.get(client) ?? 1) - 1;
        if (left > 0) perClient.set(client, left);
        else perClient.delete(client);
        if (open.size === 0) onEmpty?.();
      });
      if (tlsServer) {
        // Who leaves during the handshake is gone; half-open is a matter of the encrypted stream.
        socket.allowHalfOpen = false;
        handshakes.set(endOf(socket), { socket, since: performance.now() });
        tlsServer.emit('connection', socket);
      } else hand(socket);
    },
    async empty(graceMs) {
      crowd.stop();
      if (open.size === 0) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(graceMs, () => {
          for (const socket of open) socket.destroy();
        });
        onEmpty = () => {
          cancel();
          resolve();
        };
      });
      onEmpty = undefined;
    },
    size: () => open.size,
    endHandshake,
  };
}

/** A TLS server without a port of its own: it only does handshakes, always with the newest certificate that works. */
function createHandshaker(
  tls: Live<SecureContextOptions | undefined>,
  options: ListenerOptions,
  hand: (socket: TLSSocket) => void,
): TlsServer {
  const { name, log } = options;
  let made: TlsServer;
  try {
    made = createTlsServer({ ...tls.value, handshakeTimeout: handshakeMs });
  } catch (thrown) {
    throw new Fault('unavailable', `${name}: the certificate or its key cannot be used`, { cause: thrown });
  }
  made.on('secureConnection', (socket) => {
    socket.allowHalfOpen = options.halfOpen ?? false;
    socket.on('error', (error) => log.diagnostic(`${name}: ${peerAddress(socket)}: ${error.message}`));
    hand(socket);
  });
  made.on('tlsClientError', (error, socket) => {
    log.info(`${name}: TLS handshake with ${peerAddress(socket)} failed: ${error.message}`);
    socket.destroy();
  });
  tls.onChange((value) => {
    if (!value) return;
    try {
      made.setSecureContext(value);
    } catch (thrown) {
      log.error(`${name}: the new certificate cannot be used, the old one is kept`, thrown);
    }
  });
  return made;
}
