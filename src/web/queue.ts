/**
 * The way to the queue from the network: who is let through to the JSON interface below `/api/queue`.
 *
 * Promise: an address that the access mask does not have is refused, and the log says so; a password is taken over TLS or from this host
 * itself alone, and nobody but an administrator gets any further, nor does another web site in an administrator's browser. A proxy hides
 * who asks, so what came through one is refused.
 * Source: manual chapter 3, "Message Queue Server Access Mask"; checklist MTA-09. Spec: RFC 7617
 */

import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, Hono, MiddlewareHandler } from 'hono';
import { asFault, Fault, isLoopback, type Log, replyOf } from '../base/index.ts';
import { isProxied } from './monitor.ts';

export interface QueueDoor {
  /** Whether the access mask has this address. */
  readonly admits: (address: string) => boolean;
  /** The administrator's name, for the log. Fault bad-credentials, not-permitted, busy. */
  readonly logIn: (name: string, password: string, address: string) => Promise<string>;
  /** The interface; `by` says who asks. */
  readonly routes: (by: (c: Context) => string) => Hono;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const path = '/api/queue';
const realm = 'Basic realm="Mailtree administrators", charset="UTF-8"';
/** Name and password together, in Base64. */
const longestCredentials = 2_048;

export function addQueue(app: Hono, door: QueueDoor): void {
  const askers = new WeakMap<Request, string>();
  const refusals = new Refusals(door.log, door.now);
  const guard: MiddlewareHandler = async (c, next) => {
    c.header('Cache-Control', 'no-store');
    const address = (getConnInfo(c).remote.address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
    const { socket } = (c.env as HttpBindings).incoming;
    const why = isProxied(c)
      ? 'it came through a proxy'
      : address === '' || !door.admits(address)
        ? 'the message queue access mask (mtQueueAccessMask) does not have it'
        : undefined;
    if (why !== undefined) {
      refusals.note(address, why);
      throw new Fault('not-permitted', 'not for you');
    }
    // A browser that knows the password sends it along with what another web site has it send.
    if (isOtherSite(c)) throw new Fault('not-permitted', 'not for other web sites');
    if (!('encrypted' in socket) && !isLoopback(address)) throw new Fault('not-permitted', 'passwords are taken over TLS only');
    const given = credentials(c.req.header('authorization'));
    if (!given) throw new Fault('bad-credentials', 'log in as an administrator');
    askers.set(c.req.raw, await door.logIn(given.name, given.password, address));
    await next();
  };
  app.use(`${path}/*`, guard);
  app.route(
    path,
    door.routes((c) => askers.get(c.req.raw) ?? 'nobody'),
  );
  app.onError((thrown, c) => {
    const fault = asFault(thrown);
    if (fault.kind === 'bug') door.log.error('web', thrown);
    if (fault.kind === 'bad-credentials') c.header('WWW-Authenticate', realm);
    return c.json({ error: fault.say }, replyOf(fault).http as 400);
  });
}

/** RFC 6454 §7: with `Origin` a browser says for which site it asks. */
function isOtherSite(c: Context): boolean {
  const origin = c.req.header('origin');
  return origin !== undefined && /^https?:\/\/(.*)$/.exec(origin)?.[1] !== c.req.header('host');
}

/** RFC 7617 §2: the name ends at the first colon. */
function credentials(header: string | undefined): { readonly name: string; readonly password: string } | undefined {
  const [, encoded = ''] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? '') ?? [];
  if (encoded === '' || encoded.length > longestCredentials) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1) return undefined;
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

const quietMs = 60_000;
/** Addresses that are counted apart. */
const mostAddresses = 1_000;

/** A line for each address that is refused, and a minute later how often it went on: who asks without end fills no log. */
class Refusals {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #told = new Map<string, { at: number; more: number }>();

  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  note(address: string, why: string): void {
    const now = this.#now();
    const known = this.#told.get(address);
    if (known && now - known.at < quietMs) {
      known.more += 1;
      return;
    }
    if (!known && this.#told.size >= mostAddresses) this.#told.delete(this.#told.keys().next().value ?? '');
    this.#told.set(address, { at: now, more: 0 });
    const before = known && known.more > 0 ? ` (and ${known.more} times before)` : '';
    this.#log.warning(`queue access from [${address}] refused${before}: ${why}`);
  }
}
