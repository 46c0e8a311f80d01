/**
 * Load by LDAP: one sort of operation in lock-step on a number of connections, from a process of its own.
 *
 * The client is light, so that it does not stand before what it measures: requests are encoded before the clock runs, answers are
 * only told apart by tag and result code.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Crowd, Kind } from './ldap-requests.ts';
import type { LoadResult } from './smtp.ts';

export interface LdapJob extends Crowd {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly kind: Kind;
  /** Operations that are measured. */
  readonly count: number;
  /** Done before the clock runs, to warm up both sides. */
  readonly warm: number;
  /** Number of the first person that is added, or place in the scattered order of the others. */
  readonly first: number;
  readonly bind: { readonly dn: string; readonly password: string };
  /** The server, whose processor time is taken. */
  readonly pid: number;
}

export interface LdapResult extends LoadResult {
  /** Seconds of processor time: the server's and the client's. */
  readonly server: number;
  readonly client: number;
}

export async function ldapLoad(job: LdapJob): Promise<LdapResult> {
  const program = fileURLToPath(new URL('ldap-process.ts', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, program, JSON.stringify(job)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the load client ended with code ${code}`);
  return JSON.parse(text) as LdapResult;
}
