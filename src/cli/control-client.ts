/** Asks the running server over its control socket. */

import { request } from 'node:http';
import type { Readable } from 'node:stream';
import { Fault, type FaultKind, replies } from '../base/index.ts';
import { type Config, controlPath } from '../main/index.ts';

export interface ControlRequest {
  readonly method?: 'GET' | 'POST';
  /** With leading slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: Readable;
}

/** The JSON answer. Fault `unavailable` when no server runs; otherwise the server's own refusal. */
export function askControl<T>(config: Config, ask: ControlRequest): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(ask.query ?? {})) for (const one of [value ?? []].flat()) query.append(name, one);
  const socketPath = controlPath(config);
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method: ask.method ?? 'GET', path: `${ask.path}?${query}` }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        try {
          const answer = JSON.parse(Buffer.concat(chunks).toString('utf8')) as T & { error?: string };
          if (response.statusCode === 200) resolve(answer);
          else reject(new Fault(kindOf(response.statusCode ?? 500), answer.error ?? 'the server refused'));
        } catch (cause) {
          reject(new Fault('unavailable', 'the server gave an answer that cannot be read', { cause }));
        }
      });
    });
    call.on('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EACCES' ? 'only the user it runs as may open' : 'no server answers at';
      reject(new Fault('unavailable', `${why} ${socketPath}`, { cause }));
    });
    if (ask.body) ask.body.pipe(call);
    else call.end();
  });
}

function kindOf(http: number): FaultKind {
  return (Object.keys(replies) as FaultKind[]).find((kind) => replies[kind].http === http) ?? 'unavailable';
}
