/** Asks the running server over its control socket. */

import { type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { Fault, type FaultKind, replies } from '../base/index.ts';
import { type Config, controlPath } from '../main/index.ts';

export interface ControlRequest {
  readonly method?: 'GET' | 'POST';
  /** With leading slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: Readable;
  /** Media type of the body. */
  readonly type?: string;
}

/** The JSON answer. Fault `unavailable` when no server runs; otherwise the server's own refusal. */
export function askControl<T>(config: Config, ask: ControlRequest): Promise<T> {
  const socketPath = controlPath(config);
  return new Promise((resolve, reject) => {
    const headers = ask.type === undefined ? {} : { 'Content-Type': ask.type };
    const call = request({ socketPath, method: ask.method ?? 'GET', path: pathOf(ask), headers }, (response) => {
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
    call.on('error', (cause: NodeJS.ErrnoException) => reject(unreachable(config, cause)));
    if (ask.body) ask.body.pipe(call);
    else call.end();
  });
}

/** Path and query as HTTP has them. */
export function pathOf({ path, query }: Pick<ControlRequest, 'path' | 'query'>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) for (const one of [value ?? []].flat()) parameters.append(name, one);
  return `${path}?${parameters}`;
}

function unreachable(config: Config, cause: NodeJS.ErrnoException): Fault {
  // A body that could not be read ends the request with its own fault.
  if (cause instanceof Fault) return cause;
  const why = cause.code === 'EACCES' ? 'only the user it runs as may open' : 'no server answers at';
  return new Fault('unavailable', `${why} ${controlPath(config)}`, { cause });
}

/** The fault an HTTP status stands for. */
export function kindOf(http: number): FaultKind {
  return (Object.keys(replies) as FaultKind[]).find((kind) => replies[kind].http === http) ?? 'unavailable';
}

/** An answer of one JSON value a line, as they come. Faults as above; `unavailable` where the answer breaks off. */
export async function* streamControl<T>(
  config: Config,
  ask: Omit<ControlRequest, 'body'> & { readonly body?: AsyncIterable<Uint8Array> },
): AsyncGenerator<T> {
  for await (const line of controlLines(config, ask)) {
    if (line === '') continue;
    const told = JSON.parse(line) as { readonly error?: string; readonly kind?: FaultKind };
    if (told.error !== undefined) throw new Fault(told.kind ?? 'unavailable', told.error);
    yield told as Awaited<T>;
  }
}

/** An answer that is text, as it comes. */
export async function* textFromControl(config: Config, ask: Omit<ControlRequest, 'body'>): AsyncGenerator<string> {
  const response = await open(config, ask);
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) yield chunk as string;
  } catch (cause) {
    throw new Fault('unavailable', 'the server broke off its answer', { cause });
  }
}

async function* controlLines(config: Config, ask: Parameters<typeof streamControl>[1]): AsyncGenerator<string> {
  let rest = '';
  const response = await open(config, ask);
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) {
      const lines = (rest + (chunk as string)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (cause) {
    throw new Fault('unavailable', 'the server broke off its answer', { cause });
  }
  yield rest;
}

function open(config: Config, ask: Parameters<typeof streamControl>[1]): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: controlPath(config), method: ask.body ? 'POST' : 'GET', path: pathOf(ask) }, (response) => {
      if (response.statusCode === 200) resolve(response);
      else refusalOf(response).then(reject, reject);
    });
    call.on('error', (cause: NodeJS.ErrnoException) => reject(unreachable(config, cause)));
    if (ask.body)
      Readable.from(ask.body)
        .on('error', (cause) => call.destroy(cause))
        .pipe(call);
    else call.end();
  });
}

async function refusalOf(response: IncomingMessage): Promise<Fault> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const said = text.startsWith('{') ? (JSON.parse(text) as { error?: string }).error : undefined;
  return new Fault(kindOf(response.statusCode ?? 500), said ?? 'the server refused');
}
