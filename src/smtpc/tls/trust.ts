/**
 * Whose certificates are believed, and our own for who asks: the TLS context of outgoing connections.
 *
 * Promise: a context is made once and again only after a change; a file that cannot be read adds nobody, and that is said, once; it is read
 * as soon as it can be.
 */

import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Live, Log } from '../../base/index.ts';
import type { SmtpcSettings } from '../settings/index.ts';

export interface TrustNeeds {
  readonly settings: Live<Pick<SmtpcSettings, 'tlsTrustedFile' | 'tlsClientCertificate'>>;
  /** The server's own certificate. */
  readonly certificate?: Live<SecureContextOptions | undefined> | undefined;
  readonly log: Log;
}

/** The context for the next connection. */
export type Trust = (own?: 'without own certificate') => SecureContext;

const mostOctets = 4 * 1_048_576;
const onePem = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

export function createTrust({ settings, certificate, log }: TrustNeeds): Trust {
  const made = new Map<string, { readonly stamp: string; readonly own: unknown; readonly context: SecureContext }>();
  /** Whether the file was read when it was read last, and what was said of it then. */
  const reading: Reading = { failed: false, said: '' };
  const make = (file: string, own: SecureContextOptions | undefined): SecureContext => {
    const { cert, key } = own ?? {};
    const mine = cert === undefined || key === undefined ? {} : { cert, key };
    // Without a list of our own the library shares one among all contexts.
    const ca = file === '' ? undefined : [...rootCertificates, ...authoritiesIn(file, log, reading)];
    return createSecureContext({ minVersion: 'TLSv1.2', ...mine, ...(ca ? { ca } : {}) });
  };
  return (without) => {
    const { tlsTrustedFile: file, tlsClientCertificate } = settings.value;
    const own = without === undefined && tlsClientCertificate ? certificate?.value : undefined;
    const which = own ? 'own' : '';
    const stamp = `${file} ${stampOf(file)}`;
    const known = made.get(which);
    if (known?.stamp === stamp && known.own === own) return known.context;
    reading.failed = false;
    const context = make(file, own);
    // What could not be opened may be the next time, without having changed.
    if (!reading.failed) made.set(which, { stamp, own, context });
    return context;
  };
}

function stampOf(file: string): string {
  if (file === '') return '';
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs}/${stat.size}/${stat.ino}` : '-';
}

interface Reading {
  failed: boolean;
  said: string;
}

function authoritiesIn(file: string, log: Log, reading: Reading): string[] {
  try {
    if (statSync(file).size > mostOctets) throw new Error(`it is larger than ${mostOctets} octets`);
    const found = readFileSync(file, 'latin1').match(onePem) ?? [];
    if (found.length === 0) throw new Error('there is no certificate in it');
    reading.said = '';
    return found.filter((pem) => readable(pem, file, log));
  } catch (thrown) {
    const { message, code } = thrown as NodeJS.ErrnoException;
    reading.failed = code !== undefined;
    if (reading.said !== message) log.error(`the certificate authorities in ${file} cannot be read`, thrown);
    reading.said = message;
    return [];
  }
}

function readable(pem: string, file: string, log: Log): boolean {
  try {
    createSecureContext({ ca: pem });
    return true;
  } catch (thrown) {
    log.error(`a certificate in ${file} cannot be read`, thrown);
    return false;
  }
}
