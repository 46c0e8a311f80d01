/** An HTTPS server for tests that gives out a policy of MTA-STS, or whatever it is told to; takes reports, too. */

import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface PolicyHost {
  readonly port: number;
  text: string;
  status: number;
  type: string;
  /** `GET /path host`, without the port. */
  readonly asked: string[];
  /** Bodies of POST. */
  readonly posted: { readonly type: string; readonly body: Buffer }[];
  /** Further certificates, for another name or none. */
  use(tls: { key: string; cert: string }): void;
  stop(): Promise<void>;
}

export async function startPolicyHost(tls: { key: string; cert: string }, text: string, port = 0): Promise<PolicyHost> {
  const server = createServer(tls);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const host: PolicyHost = {
    port: (server.address() as AddressInfo).port,
    text,
    status: 200,
    type: 'text/plain; charset=utf-8',
    asked: [],
    posted: [],
    use: (other) => server.setSecureContext(other),
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  server.on('request', (request, response) => {
    host.asked.push(`${request.method} ${request.url} ${request.headers.host?.replace(/:\d+$/, '')}`);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'POST') host.posted.push({ type: request.headers['content-type'] ?? '', body: Buffer.concat(chunks) });
      response.writeHead(host.status, { 'content-type': host.type, location: 'https://mta-sts.dest.example/other' });
      response.end(host.text);
    });
  });
  return host;
}
