/**
 * The server's TLS certificate: `data/tls/cert.pem` and `key.pem`; a self-signed one is made at the first start.
 *
 * Promise: an administrator's files in that place are used as they are, and a replaced pair is picked up within seconds.
 * The key is readable by the owner alone. A pair that does not belong together is refused and the last good one stays in use.
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
  if (!existsSync(files.cert) || !existsSync(files.key)) {
    await makeSelfSigned(options.host, options.clock.now(), files);
    options.log.info(`made a self-signed certificate for ${options.host} in ${folder}`);
  }
  const live = new LiveValue<SecureContextOptions | undefined>(read(files));
  let stamp = stampOf(files);
  let said = '';
  let cancel: Cancel;
  const look = (): void => {
    const now = stampOf(files);
    if (now !== stamp) {
      try {
        live.set(read(files));
        stamp = now;
        said = '';
        options.log.info(`new certificate in ${folder} is in use`);
      } catch (thrown) {
        const { message, code } = thrown as NodeJS.ErrnoException;
        if (said !== message) options.log.error(`the certificate in ${folder} cannot be used, the last one stays`, thrown);
        said = message;
        // What could not be opened (no right to, no descriptor) may be the next time, without having changed.
        if (code === undefined) stamp = now;
      }
    }
    cancel = options.clock.after(lookEvery, look);
  };
  cancel = options.clock.after(lookEvery, look);
  return { context: live, close: () => cancel() };
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
  // The key first and both by rename: a crash in between is repaired by making a new pair.
  for (const [file, text, mode] of [
    [files.key, privateKey, 0o600],
    [files.cert, forge.pki.certificateToPem(cert), 0o644],
  ] as const) {
    writeFileSync(`${file}.new`, text, { mode });
    renameSync(`${file}.new`, file);
  }
}
