/**
 * The queue of a server: of the one that runs here, over its control socket, or of another one over HTTPS (`--server URL`).
 *
 * Promise: the same answers either way. A password goes over TLS, or to this host itself, and nowhere else.
 */

import { readFileSync } from 'node:fs';
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { userInfo } from 'node:os';
import { Readable } from 'node:stream';
import { Fault, isLoopback } from '../../base/index.ts';
import type { Config } from '../../main/index.ts';
import { askPassword } from '../administrator.ts';
import { askControl, kindOf, pathOf, textFromControl } from '../control-client.ts';

type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface QueueClient {
  get<T>(path: string, query?: Query): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  text(path: string): Promise<string>;
}

export interface ServerOptions {
  /** `https://mail.jade.net:2443`; without it, the server of the configuration file. */
  readonly server?: string;
  /** DN or address of an administrator. */
  readonly user?: string;
  /** File with the certificate to trust instead of the usual authorities. */
  readonly ca?: string;
}

export function localQueue(config: Config): QueueClient {
  const at = (path: string): string => `/queue/${path}`;
  return {
    get: (path, query = {}) => askControl(config, { path: at(path), query }),
    post: (path, body = {}) =>
      askControl(config, {
        method: 'POST',
        path: at(path),
        query: { by: `system user ${userInfo().username}` },
        body: Readable.from([JSON.stringify(body)]),
        type: 'application/json',
      }),
    async text(path) {
      let all = '';
      for await (const piece of textFromControl(config, { path: at(path) })) all += piece;
      return all;
    },
  };
}

/** Fault malformed where the URL is none, or would show the password to others. */
export async function remoteQueue({ server = '', user = defaultUser, ca }: ServerOptions): Promise<QueueClient> {
  const base = URL.canParse(server) ? new URL(server) : undefined;
  if (!base || !/^https?:$/.test(base.protocol) || base.username !== '')
    throw new Fault('malformed', `${server} is no https:// address of a server`);
  if (base.protocol === 'http:' && !isLoopback(base.hostname.replace(/^\[|\]$/g, '')) && base.hostname !== 'localhost')
    throw new Fault('malformed', `${server}: a password is sent over https:// only`);
  const password = process.env['MAILTREE_PASSWORD'] ?? (await askPassword(`Password of ${user}: `));
  const headers = { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  const trust = ca === undefined ? {} : { ca: readFileSync(ca) };
  const ask = (method: string, path: string, query: Query, body?: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const options = { method, path: pathOf({ path: `/api/queue/${path}`, query }), headers: { ...headers, ...(body ? typed : {}) } };
      const call = (base.protocol === 'https:' ? secure : plain)({
        host: base.hostname.replace(/^\[|\]$/g, ''),
        port: base.port,
        ...trust,
        ...options,
      });
      call.on('error', (cause) => reject(new Fault('unavailable', `${base.origin} does not answer: ${cause.message}`, { cause })));
      call.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', (cause) => reject(new Fault('unavailable', `${base.origin} broke off its answer`, { cause })));
        response.on('end', () => {
          const octets = Buffer.concat(chunks);
          if (response.statusCode === 200) resolve(octets);
          else reject(new Fault(kindOf(response.statusCode ?? 500), saidIn(octets) ?? `${base.origin} answers ${response.statusCode}`));
        });
      });
      call.end(body);
    });
  return {
    get: async <T>(path: string, query: Query = {}) => jsonIn<T>(await ask('GET', path, query)),
    post: async <T>(path: string, body: unknown = {}) => jsonIn<T>(await ask('POST', path, {}, JSON.stringify(body))),
    text: async (path) => (await ask('GET', path, {})).toString('utf8'),
  };
}

export const defaultUser = 'cn=admin,cn=admins,cn=mailtree';
const typed = { 'Content-Type': 'application/json' };

function jsonIn<T>(octets: Buffer): T {
  try {
    return JSON.parse(octets.toString('utf8')) as T;
  } catch (cause) {
    throw new Fault('unavailable', 'the server gave an answer that cannot be read', { cause });
  }
}

function saidIn(octets: Buffer): string | undefined {
  try {
    return (JSON.parse(octets.toString('utf8')) as { error?: string }).error;
  } catch {
    return undefined;
  }
}
