/**
 * The server's TLS certificate: `data/tls/cert.pem` and `key.pem`; a self-signed one is made at the first start.
 *
 * Promise: an administrator's files in that place are used as they are, and a replaced pair is picked up within seconds.
 * The key is readable by the owner alone. The self-signed one is made anew two weeks before its end. A pair that does not belong together is refused and the last good one stays in use; at a start
 * without a good one the server runs without TLS, says so, and takes the pair as soon as it can be used. Nobody's file is written over.
 * Spec: RFC 5280 §4.1, RFC 6125 §6.4; checklist TLS-01
 */

import { createPrivateKey, createPublicKey, generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
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
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), made: join(folder, 'self-signed') };
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
  let making = false;
  const renew = (): void => {
    making = true;
    const made = async (): Promise<void> =>
      // With the key it had: whoever has published its hash (DANE, RFC 7671 §8.1) need not do so again.
      makeSelfSigned(options.host, options.clock.now(), files, readFileSync(files.key, 'utf8'));
    made()
      .then(
        () =>
          options.log.warning(`the self-signed certificate in ${folder} was near its end, or made by a wrong clock: there is a new one`),
        (thrown: unknown) => options.log.error(`no new self-signed certificate could be made in ${folder}`, thrown),
      )
      .finally(() => {
        making = false;
      });
  };
  let ours: X509Certificate | undefined;
  let renewed = Number.NEGATIVE_INFINITY;
  /** One of our own making is made anew in time; tried once an hour, whatever becomes of it. */
  const renewInTime = (): void => {
    const now = options.clock.now();
    if (!ours || making || Math.abs(now - renewed) < renewEvery) return;
    if (now >= Date.parse(ours.validFrom) && now < Date.parse(ours.validTo) - warnBefore) return;
    renewed = now;
    renew();
  };
  const look = (): void => {
    let now = stamp;
    try {
      now = stampOf(files);
      if (now !== stamp) {
        live.set(read(files));
        stamp = now;
        said = '';
        if (started) options.log.info(`new certificate in ${folder} is in use`);
        ours = madeHere(files);
        if (!ours) warnOfEnd(files.cert, options.clock.now(), options.log);
      }
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
    renewInTime();
    started = true;
    cancel = options.clock.after(lookEvery, look);
  };
  look();
  return { context: live, close: () => cancel() };
}

/** The certificate, where it is the one we made, and nobody's own. */
function madeHere({ cert, made }: Files): X509Certificate | undefined {
  const certificate = new X509Certificate(readFileSync(cert));
  const known = existsSync(made) ? readFileSync(made, 'utf8').trim() : '';
  return certificate.fingerprint256 === known ? certificate : undefined;
}

/** A making of the pair that was cut short between its two renames. */
function finishMaking({ cert, key }: Files): void {
  if (existsSync(key) && !existsSync(cert) && existsSync(`${cert}.new`)) renameSync(`${cert}.new`, cert);
}

const warnBefore = 14 * day;
const renewEvery = 3_600_000;

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
  /** Fingerprint of the certificate that was made here. */
  readonly made: string;
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

interface Keys {
  readonly privateKey: string;
  readonly publicKey: string;
}

const newKeys = (): Promise<Keys> =>
  promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

const keysOf = (privateKey: string): Keys => ({
  privateKey,
  publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(),
});

async function makeSelfSigned(host: string, now: number, files: Files, key?: string): Promise<void> {
  // Needed once in the life of an installation: not loaded at every start.
  const { default: forge } = await import('node-forge');
  const { privateKey, publicKey } = key === undefined ? await newKeys() : keysOf(key);
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
  const pem = forge.pki.certificateToPem(cert);
  writeFileSync(files.made, `${new X509Certificate(pem).fingerprint256}\n`, { mode: 0o600 });
  writeFileSync(`${files.cert}.new`, pem, { mode: 0o644 });
  writeFileSync(`${files.key}.new`, privateKey, { mode: 0o600 });
  renameSync(`${files.key}.new`, files.key);
  renameSync(`${files.cert}.new`, files.cert);
}
