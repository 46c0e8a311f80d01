/** Certificate authorities for tests, and what they issue: good, of the wrong name, run out. */

import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { isIP } from 'node:net';
import forge from 'node-forge';

export interface Issued {
  readonly key: string;
  /** Its own certificate alone. */
  readonly cert: string;
  /** With those of its issuers but the root. */
  readonly chain: string;
  readonly der: Buffer;
  /** SubjectPublicKeyInfo. */
  readonly spki: Buffer;
}

export interface IssueWish {
  /** Alternative names; none: no such extension. */
  readonly names?: readonly string[];
  readonly commonName?: string;
  /** Days from now. */
  readonly from?: number;
  readonly to?: number;
  readonly ca?: boolean;
  /** For clients alone. */
  readonly client?: boolean;
}

export interface Authority extends Issued {
  issue(wish: IssueWish): Authority;
}

const day = 86_400_000;

export function makeAuthority(name: string): Authority {
  return make({ commonName: name, ca: true, from: -10, to: 10 }, undefined);
}

function make(
  wish: IssueWish,
  issuer: { key: forge.pki.rsa.PrivateKey; subject: forge.pki.CertificateField[]; above: string } | undefined,
): Authority {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const key = forge.pki.privateKeyFromPem(pair.privateKey);
  const made = forge.pki.createCertificate();
  made.publicKey = forge.pki.publicKeyFromPem(pair.publicKey);
  made.serialNumber = `4${forge.util.bytesToHex(forge.random.getBytesSync(15))}`;
  made.validity.notBefore = new Date(Date.now() + (wish.from ?? -1) * day);
  made.validity.notAfter = new Date(Date.now() + (wish.to ?? 1) * day);
  made.setSubject([{ name: 'commonName', value: wish.commonName ?? 'nobody' }]);
  made.setIssuer(issuer?.subject ?? made.subject.attributes);
  const names = (wish.names ?? []).map((one) => (isIP(one) ? { type: 7, ip: one } : { type: 2, value: one }));
  made.setExtensions([
    { name: 'basicConstraints', cA: wish.ca === true, critical: true },
    ...(wish.ca ? [{ name: 'keyUsage', keyCertSign: true, cRLSign: true }] : []),
    ...(wish.client ? [{ name: 'extKeyUsage', clientAuth: true }] : []),
    ...(names.length > 0 ? [{ name: 'subjectAltName', altNames: names }] : []),
  ]);
  made.sign(issuer?.key ?? key, forge.md.sha256.create());
  const cert = forge.pki.certificateToPem(made);
  const chain = issuer ? cert + issuer.above : '';
  return {
    key: pair.privateKey,
    cert,
    chain,
    der: Buffer.from(forge.asn1.toDer(forge.pki.certificateToAsn1(made)).getBytes(), 'latin1'),
    spki: createPublicKey(pair.publicKey).export({ type: 'spki', format: 'der' }),
    issue: (further) => make(further, { key, subject: made.subject.attributes, above: chain }),
  };
}
