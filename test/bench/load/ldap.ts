/** Load by LDAP: equality searches in lock-step on a number of connections. */

import { connect } from 'node:net';
import { decodeResponse, encodeRequest, Framer } from '../../../src/ldap-wire/index.ts';
import type { LoadResult } from './smtp.ts';

export interface LdapLoad {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly searches: number;
  readonly base: string;
  /** Values of `mail` that are there. */
  readonly addresses: readonly string[];
  readonly bind?: { readonly dn: string; readonly password: string };
}

export async function ldapLoad(load: LdapLoad): Promise<LoadResult> {
  const latencies: number[] = [];
  let next = 0;
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const ask = await open(load);
      while (next < load.searches) {
        const address = load.addresses[next++ % load.addresses.length] ?? '';
        const sent = performance.now();
        const entries = await ask(address);
        if (entries !== 1) throw new Error(`${address}: ${entries} entries`);
        latencies.push(performance.now() - sent);
      }
    }),
  );
  return { seconds: (performance.now() - begun) / 1000, count: load.searches, latencies: latencies.sort((a, b) => a - b) };
}

async function open(load: LdapLoad): Promise<(address: string) => Promise<number>> {
  const socket = connect({ host: load.host, port: load.port, noDelay: true });
  const framer = new Framer();
  let entries = 0;
  let done: ((count: number) => void) | undefined;
  let fail: ((thrown: Error) => void) | undefined;
  socket.on('error', (thrown) => fail?.(thrown));
  socket.on('data', (chunk) => {
    framer.push(chunk);
    for (let octets = framer.next(1 << 24); octets; octets = framer.next(1 << 24)) {
      const { body } = decodeResponse(octets);
      if (body.op === 'entry') entries++;
      else if ('result' in body) {
        if (body.result.code !== 0) fail?.(new Error(`result ${body.result.code}: ${body.result.diagnostic}`));
        else done?.(entries);
      }
    }
  });
  let id = 0;
  const say = (request: Parameters<typeof encodeRequest>[1]): Promise<number> =>
    new Promise((resolve, reject) => {
      entries = 0;
      done = resolve;
      fail = reject;
      socket.write(encodeRequest(++id, request));
    });
  if (load.bind) {
    await say({ op: 'bind', version: 3, name: load.bind.dn, method: { type: 'simple', password: Buffer.from(load.bind.password) } });
  }
  return (address) =>
    say({
      op: 'search',
      base: load.base,
      scope: 'sub',
      derefAliases: 0,
      sizeLimit: 0,
      timeLimit: 0,
      typesOnly: false,
      filter: { type: 'equal', attribute: 'mail', value: Buffer.from(address) },
      attributes: [],
    });
}
