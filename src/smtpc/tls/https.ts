/**
 * One request over HTTPS to a host that strangers name: for policies and for reports.
 *
 * Promise: it ends within its time; redirects are not followed; the certificate must be good and for that very name; an answer that is
 * too large is cut off there. Names are resolved by our own resolver. Spec: RFC 8461 §3.3; RFC 9110; RFC 6125 §6.4
 */

import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Clock, Resolver } from '../../base/index.ts';

export interface HttpsNeeds {
  readonly resolver: Pick<Resolver, 'addresses'>;
  readonly context: () => SecureContext;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpsRequest {
  /** A name or an IP address. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly post?: { readonly type: string; readonly body: Uint8Array };
  /** Octets of the answer. */
  readonly most: number;
  readonly timeoutMs: number;
}

export interface HttpsAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

/** `certificate`: somebody answered who could not prove to be the host. */
export class HttpsFailure extends Error {
  readonly kind: 'unreachable' | 'certificate';

  constructor(kind: HttpsFailure['kind'], text: string) {
    super(text);
    this.name = 'HttpsFailure';
    this.kind = kind;
  }
}

const mostAddresses = 4;

export async function https(wish: HttpsRequest, needs: HttpsNeeds): Promise<HttpsAnswer> {
  const until = needs.clock.now() + wish.timeoutMs;
  const addresses = await addressesOf(wish, needs);
  let failure = new HttpsFailure('unreachable', `${wish.host} has no address`);
  for (const address of addresses.slice(0, mostAddresses)) {
    const left = until - needs.clock.now();
    if (left <= 0) break;
    try {
      return await once(address, { ...wish, timeoutMs: left }, needs);
    } catch (thrown) {
      failure = thrown instanceof HttpsFailure ? thrown : new HttpsFailure('unreachable', `${wish.host}: ${(thrown as Error).message}`);
      if (failure.kind === 'certificate') break;
    }
  }
  throw failure;
}

async function addressesOf({ host }: HttpsRequest, { resolver }: HttpsNeeds): Promise<readonly string[]> {
  if (isIP(host)) return [host];
  const found = await resolver.addresses(host);
  if (found.outcome === 'temporary') throw new HttpsFailure('unreachable', found.reason);
  return found.outcome === 'found' ? found.records : [];
}

function once(address: string, wish: HttpsRequest, needs: HttpsNeeds): Promise<HttpsAnswer> {
  const { host, port, path, post, most } = wish;
  return new Promise((resolve, reject) => {
    const named = isIP(host) === 6 ? `[${host}]` : host;
    const options: RequestOptions & { secureContext: SecureContext } = {
      host: address,
      port,
      path,
      method: post ? 'POST' : 'GET',
      headers: {
        host: port === 443 ? named : `${named}:${port}`,
        'user-agent': 'Mailtree',
        ...(post ? { 'content-type': post.type, 'content-length': post.body.length } : {}),
      },
      agent: false,
      ...(isIP(host) ? {} : { servername: host }),
      secureContext: needs.context(),
      rejectUnauthorized: true,
      checkServerIdentity: (_name, { raw }) => misnamed(host, raw),
      ...(needs.signal ? { signal: needs.signal } : {}),
    };
    const call = request(options);
    const end = (): void => cancel();
    const fail = (failure: Error): void => {
      end();
      call.destroy();
      reject(failure);
    };
    const cancel = needs.clock.after(wish.timeoutMs, () => fail(new HttpsFailure('unreachable', `${host} did not answer in time`)));
    call.on('error', (error: NodeJS.ErrnoException) => fail(failureOf(host, error)));
    call.on('response', (response) => {
      collect(response, most).then(
        (body) => {
          end();
          call.destroy();
          resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body });
        },
        (error: Error) => fail(new HttpsFailure('unreachable', `${host}: ${error.message}`)),
      );
    });
    call.end(post?.body);
  });
}

async function collect(response: IncomingMessage, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    octets += chunk.length;
    if (octets > most) throw new Error(`the answer has more than ${most} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Only alternative names count. */
function misnamed(host: string, raw: Buffer): Error | undefined {
  const certificate = new X509Certificate(raw);
  const fits = isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host, { subject: 'never' });
  return fits === undefined
    ? Object.assign(new Error('the certificate is for another host'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    : undefined;
}

const certificateCodes =
  /^(CERT_|ERR_TLS_CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)|INVALID_(CA|PURPOSE)|PATH_LENGTH|HOSTNAME_MISMATCH|ERROR_IN_CERT)/;

function failureOf(host: string, error: NodeJS.ErrnoException): HttpsFailure {
  const certificate = certificateCodes.test(error.code ?? '');
  return new HttpsFailure(certificate ? 'certificate' : 'unreachable', `${host}: ${error.message}`);
}
