import { expect, test } from '@jest/globals';
import forge from 'node-forge';
import { testSchema } from './support.ts';

const rule = testSchema().rule('certificateExactMatch');

function certificate(serialNumber: string, issuer: forge.pki.CertificateField[]): Uint8Array {
  const keys = forge.pki.rsa.generateKeyPair({ bits: 512 });
  const made = forge.pki.createCertificate();
  made.publicKey = keys.publicKey;
  made.serialNumber = serialNumber;
  made.setSubject([{ name: 'commonName', value: 'somebody' }]);
  made.setIssuer(issuer);
  made.sign(keys.privateKey, forge.md.sha256.create());
  return new Uint8Array(Buffer.from(forge.asn1.toDer(forge.pki.certificateToAsn1(made)).getBytes(), 'latin1'));
}

const acme = [
  { name: 'countryName', value: 'US' },
  { name: 'organizationName', value: 'Acme, Inc.' },
  {
    name: 'commonName',
    value: 'Müller CA', // The library takes a type here, whatever its declaration says.
    valueTagClass: forge.asn1.Type.UTF8 as unknown as forge.asn1.Class,
  },
];
const value = certificate('0a1b', acme);

test.each([
  ['{ serialNumber 2587, issuer rdnSequence:"cn=müller  ca,o=ACME\\, inc.,c=us" }', true],
  ['{serialNumber 2587,issuer "CN=Müller CA,O=Acme\\2c Inc.,C=US"}', true],
  ['2587$2.5.4.3=Müller CA,o=Acme\\, Inc.,c=US', true],
  ['{ serialNumber 2588, issuer rdnSequence:"cn=müller ca,o=Acme\\, Inc.,c=us" }', false],
  ['{ serialNumber 2587, issuer rdnSequence:"c=us,o=Acme\\, Inc.,cn=müller ca" }', false],
  ['2587$cn', undefined],
  ['{ serialNumber x, issuer rdnSequence:"cn=a" }', undefined],
  ['2587', undefined],
  ['', undefined],
])('the assertion %j of a certificate is %s', (text, result) => {
  const asserted = rule?.assertion(Buffer.from(text));
  expect(asserted === undefined ? undefined : asserted === rule?.normalise(value)).toBe(result);
});

test('a certificate is compared with another by number and issuer, whatever else differs', () => {
  expect(rule?.assertion(value)).toBe(rule?.normalise(value));
  expect(rule?.normalise(certificate('0a1b', acme))).toBe(rule?.normalise(value));
  expect(rule?.normalise(certificate('ff', acme))).not.toBe(rule?.normalise(value));
  // A first bit that is set makes a negative number.
  expect(rule?.normalise(certificate('ff', acme))).toMatch(/^-1\$/);
});

test('what is no certificate matches nothing and costs nothing, wherever it is cut or changed', () => {
  for (let n = 0; n < 200; n++)
    expect([undefined, 'string']).toContain(typeof rule?.normalise(value.slice(0, n)) === 'string' ? 'string' : undefined);
  for (let n = 0; n < 200; n++) {
    const changed = Uint8Array.from(value);
    changed[n] = 0xff - (changed[n] ?? 0);
    expect(() => rule?.normalise(changed)).not.toThrow();
  }
  expect(rule?.normalise(new Uint8Array([0x30, 0x80, 0, 0]))).toBeUndefined();
  expect(rule?.normalise(new Uint8Array(200_000).fill(0x30))).toBeUndefined();
});
