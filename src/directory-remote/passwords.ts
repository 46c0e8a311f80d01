/**
 * Passwords on their way to an external directory: the server hashes them, in its own fashion, by Password Modify.
 *
 * Our own stored form (a SCRAM verifier) is one most servers cannot check, and a password written as it is would stay readable there.
 * Values that are hashed already ({SSHA}…) are written as they are; a password that merely begins with a brace is not one of them.
 * Spec: RFC 3062; RFC 4519 §2.41
 */

import { createHash, randomBytes } from 'node:crypto';
import { type Attribute, type AttributeValue, DirectoryFault, isStoredForm, type Modification } from '../directory/index.ts';
import { BerWriter, type Dn, type Request } from '../ldap-wire/index.ts';

export const passwordModifyOid = '1.3.6.1.4.1.4203.1.11.1';
const tags = { user: 0x80, fresh: 0x82 } as const;

const isPassword = ({ name }: Attribute): boolean => /^(userpassword|2\.5\.4\.35)$/i.test(name);

export function passwordModify(dn: Dn, password: AttributeValue): Request {
  const writer = new BerWriter();
  const begun = writer.begin();
  writer.text(dn.toString(), tags.user).value(password, tags.fresh).end(begun);
  return { op: 'extended', oid: passwordModifyOid, value: writer.done() };
}

/** The stored form every LDAP server can check; weak for short passwords: to be replaced by what the server makes itself. */
export function saltedSha1(password: string | Uint8Array): string {
  const salt = randomBytes(16);
  const digest = createHash('sha1').update(password).update(salt).digest();
  return `{SSHA}${Buffer.concat([digest, salt]).toString('base64')}`;
}

/** Nobody's password: holds the place in an entry that must have one until the real one is set. */
const placeholder = (): string => saltedSha1(randomBytes(32));

/** What is added at once, and the password that is to be set behind it. */
export function splitAdd(attributes: readonly Attribute[]): {
  readonly attributes: readonly Attribute[];
  readonly password: AttributeValue | undefined;
} {
  const plain = attributes.filter(isPassword).flatMap(({ values }) => values.filter((value) => !isStoredForm(value)));
  if (plain.length === 0) return { attributes, password: undefined };
  one(plain);
  return {
    attributes: attributes.map((each) => (isPassword(each) ? { name: each.name, values: [placeholder()] } : each)),
    password: plain[0],
  };
}

/** The modifications without a new password, and that. */
export function splitModify(modifications: readonly Modification[]): {
  readonly modifications: readonly Modification[];
  readonly password: AttributeValue | undefined;
} {
  const sets = ({ operation, attribute }: Modification): boolean =>
    (operation === 'add' || operation === 'replace') && isPassword(attribute) && attribute.values.some((value) => !isStoredForm(value));
  const plain = modifications.filter(sets).flatMap(({ attribute }) => attribute.values);
  if (plain.length === 0) return { modifications, password: undefined };
  one(plain);
  return { modifications: modifications.filter((each) => !sets(each)), password: plain[0] };
}

function one(values: readonly AttributeValue[]): void {
  if (values.length > 1)
    throw new DirectoryFault('constraintViolation', 'attribute userPassword: an external directory is given one password');
}
