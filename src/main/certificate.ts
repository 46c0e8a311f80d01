/**
 * The server's TLS certificate: `data/tls/cert.pem` and `key.pem`; a self-signed one is made at the first start.
 *
 * Promise: an administrator's files in that place are used as they are, and a replaced pair is picked up within seconds.
 * The key is readable by the owner alone. A pair that does not belong together is refused and the last good one stays in use; at a start
 * without a good one the server runs without TLS, says so, and takes the pair as soon as it can be used. Nobody's file is written over.
 * Spec: RFC 5280 §4.1, RFC 6125 §6.4; checklist TLS-01
 */

import { createPrivateKey, generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { promisify } from 'node:util';
import { type Cancel, type Clock, Fault, type Live, LiveValue, type Log, makeFolders } from '../base/index.ts';

const validDays = 365;
const day = 86_400_000;
/** How often the files are looked at. */
const lookEvery = 2_000;

export interface Certificate {
  readonly context: Live<SecureContextOptions | undefined>;
  close(): void;
}

export async function openCertificate(options: { data: string; host: string; clock: Clock; log: Log }): Promise<Certificate> {
  const folder = join(options.data, 'tls');
  makeFolders(folder);
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  finishMaking(files);
  if (!existsSync(files.cert) && !existsSync(files.key)) {
    await makeSelfSigned(options.host, options.clock.now(), files);
    options.log.info(`made a self-signed certificate for ${options.host} in ${folder}`);
  }
  const live = new LiveValue<SecureContextOptions | undefined>(undefined);
  let stamp = '';
  let said = '';
  let started = false;
  let cancel: Cancel = () => {};
  const look = (): void => {
    const now = stampOf(files);
    if (now !== stamp) {
      try {
        live.set(read(files));
        stamp = now;
        said = '';
        if (started) options.log.info(`new certificate in ${folder} is in use`);
        warnOfEnd(files.cert, options.clock.now(), options.log);
      } catch (thrown) {
        const { message, code } = thrown as NodeJS.ErrnoException;
        const instead = live.value
          ? 'the last one stays'
          : 'there is no TLS until it can (both files again, or neither for a self-signed one)';
        if (said !== message) options.log.error(`the certificate in ${folder} cannot be used, ${instead}`, thrown);
        said = message;
        // What could not be opened (no right to, no descriptor) may be the next time, without having changed.
        if (code === undefined) stamp = now;
      }
    }
    started = true;
    cancel = options.clock.after(lookEvery, look);
  };
  look();
  return { context: live, close: () => cancel() };
}

/** A making of the pair that was cut short between its two renames. */
function finishMaking({ cert, key }: Files): void {
  if (existsSync(key) && !existsSync(cert) && existsSync(`${cert}.new`)) renameSync(`${cert}.new`, cert);
}

const warnBefore = 14 * day;

/** Mail programs refuse one that is over, and so may other servers. */
function warnOfEnd(file: string, now: number, log: Log): void {
  const end = Date.parse(new X509Certificate(readFileSync(file)).validTo);
  if (end > now + warnBefore) return;
  log.warning(
    `the certificate ${file} ${end <= now ? 'is over since' : 'ends on'} ${new Date(end).toISOString()}: renew it; a new pair of files is taken at once`,
  );
}

interface Files {
  readonly cert: string;
  readonly key: string;
}

function stampOf(files: Files): string {
  return [files.cert, files.key]
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat ? `${stat.mtimeMs}/${stat.size}/${stat.ino}` : '-';
    })
    .join(' ');
}

function read(files: Files): SecureContextOptions {
  const cert = readFileSync(files.cert, 'utf8');
  const key = readFileSync(files.key, 'utf8');
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('the key does not belong to the certificate');
    const options: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2', honorCipherOrder: true };
    createSecureContext(options);
    return options;
  } catch (cause) {
    throw new Fault('malformed', `${files.cert}: ${(cause as Error).message}`, { cause });
  }
}

async function makeSelfSigned(host: string, now: number, files: Files): Promise<void> {
  // Needed once in the life of an installation: not loaded at every start.
  const { default: forge } = await import('node-forge');
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const cert = forge.pki.createCertificate();
  cert.publicKey = forge.pki.publicKeyFromPem(publicKey);
  // Positive, unpredictable, at most 20 octets (RFC 5280 §4.1.2.2).
  cert.serialNumber = `4${randomBytes(15).toString('hex')}`;
  cert.validity.notBefore = new Date(now - day);
  cert.validity.notAfter = new Date(now + validDays * day);
  const name = [{ name: 'commonName', value: host.slice(0, 64) }];
  cert.setSubject(name);
  cert.setIssuer(name);
  cert.setExtensions([
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    {
      name: 'subjectAltName',
      altNames: [
        { type: 2, value: host },
        { type: 2, value: 'localhost' },
        { type: 7, ip: '127.0.0.1' },
      ],
    },
  ]);
  cert.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create());
  // Both by rename, the key first: a crash in between is repaired at the next start.
  writeFileSync(`${files.cert}.new`, forge.pki.certificateToPem(cert), { mode: 0o644 });
  writeFileSync(`${files.key}.new`, privateKey, { mode: 0o600 });
  renameSync(`${files.key}.new`, files.key);
  renameSync(`${files.cert}.new`, files.cert);
}
