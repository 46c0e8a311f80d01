/**
 * Binding a server to a place, with errors a person understands and a left-over Unix socket cleared away.
 *
 * A socket file is removed only when nobody answers behind it.
 */

import { chmod, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { errorCode } from './error-code.ts';
import { Fault } from './fault.ts';

/** Where to listen. `path` is a Unix socket, made for its owner alone. An IPv6 `::` listens on IPv4 too. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string } | 'off';

export function placeName(place: Place): string {
  if (place === 'off') return 'no port';
  if ('path' in place) return place.path;
  return `${place.host.includes(':') ? `[${place.host}]` : place.host} port ${place.port}`;
}

export function samePlace(a: Place, b: Place): boolean {
  if (a === 'off' || b === 'off') return a === b;
  if ('path' in a || 'path' in b) return 'path' in a && 'path' in b && a.path === b.path;
  return a.host === b.host && a.port === b.port;
}

/** Resolves when `server` listens; Fault `unavailable` that names the place and why not. */
export async function bind(server: Server, place: Exclude<Place, 'off'>): Promise<void> {
  try {
    await listen(server, place);
  } catch (thrown) {
    if ('path' in place && errorCode(thrown) === 'EADDRINUSE' && (await abandoned(place.path))) {
      await unlink(place.path);
      await listen(server, place).catch((again) => fail(again, place));
    } else fail(thrown, place);
  }
  if ('path' in place) await chmod(place.path, 0o600);
}

/** Connections that wait to be accepted: a burst of strangers is to fill it up later than Node's 511, for whoever comes then waits a second. */
const backlog = 4_096;

function listen(server: Server, place: Exclude<Place, 'off'>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...place, backlog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function abandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error) => resolve(errorCode(error) === 'ECONNREFUSED'));
  });
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program is using it',
  EACCES: 'this user may not open it',
  EADDRNOTAVAIL: 'this host does not have the address',
  ENOTFOUND: 'the host name is not known',
};

function fail(thrown: unknown, place: Place): never {
  throw new Fault('unavailable', `cannot listen on ${placeName(place)}: ${reasons[errorCode(thrown) ?? ''] ?? 'the system refused'}`, {
    cause: thrown,
  });
}
