/**
 * Passwords on their way into the directory: clear ones become verifiers before a transaction sees them, so that none is ever
 * stored, logged or replayed.
 */

import type { Attribute, AttributeValue, Entry } from '../entry.ts';
import { DirectoryFault, type Modification } from '../port.ts';
import type { Schema } from '../schema/schema.ts';
import type { DirectorySettings } from '../settings.ts';
import type { Hasher } from './hasher.ts';
import { checkQuality, mostPasswords, namesOf } from './policy.ts';
import { formerPasswords } from './record.ts';
import { clearPassword, isNoPassword, isStoredForm, passwordOid, passwordText } from './scheme.ts';

const longest = 1024;

export interface PasswordWriting {
  readonly schema: Schema;
  readonly hasher: Hasher;
  readonly settings: () => DirectorySettings;
}

const isPassword = (schema: Schema, attribute: Attribute): boolean => schema.describe(attribute.name)?.type.oid === passwordOid;

/** Refuses what would keep the workers busy, and stored forms where `clearOnly`. DirectoryFault constraintViolation. */
export function checkPasswords(schema: Schema, attributes: readonly Attribute[], clearOnly: boolean): void {
  const values = attributes.filter((attribute) => isPassword(schema, attribute)).flatMap((attribute) => attribute.values);
  if (values.length > mostPasswords)
    throw new DirectoryFault('constraintViolation', `attribute userPassword: more than ${mostPasswords} passwords in one request`);
  if (clearOnly && values.some((value) => isStoredForm(value)))
    throw new DirectoryFault('constraintViolation', 'attribute userPassword: give the password itself, not a form to store it in');
}

/** Whom a password is for, and what it may not be. */
interface Owner {
  /** `namesOf` the entry. */
  readonly names: readonly string[];
  /** Stored forms of passwords that may not be taken again. */
  readonly former: readonly string[];
  /** Taken over from elsewhere: what was good enough there is not asked again. */
  readonly imported?: boolean;
}

async function storedForm(parts: PasswordWriting, owner: () => Owner, value: AttributeValue): Promise<string> {
  const given = passwordText(value);
  const { names, former, imported } = owner();
  if (isStoredForm(given) || (imported && isNoPassword(given))) return given;
  const clear = clearPassword(value);
  if (clear.length > longest)
    throw new DirectoryFault('constraintViolation', `attribute userPassword: a password has at most ${longest} characters`);
  const settings = parts.settings();
  if (!imported) checkQuality(clear, names, settings);
  if (former.length > 0 && (await parts.hasher.check(clear, former)) >= 0) {
    const say = 'attribute userPassword: this password was in use before; take another one';
    throw new DirectoryFault('constraintViolation', say, { policy: 'passwordInHistory' });
  }
  return parts.hasher.derive(clear, settings.scramIterations);
}

async function storedForms(parts: PasswordWriting, owner: () => Owner, attribute: Attribute): Promise<Attribute> {
  const values: string[] = [];
  for (const value of attribute.values) values.push(await storedForm(parts, owner, value));
  return { name: attribute.name, values };
}

/** The attributes of a new entry with every password in its stored form. */
export async function hashAttributes(
  parts: PasswordWriting,
  attributes: readonly Attribute[],
  imported = false,
): Promise<readonly Attribute[]> {
  if (!attributes.some((attribute) => isPassword(parts.schema, attribute))) return attributes;
  const owner = (): Owner => ({ names: namesOf(attributes), former: [], imported });
  return Promise.all(
    attributes.map((attribute) => (isPassword(parts.schema, attribute) ? storedForms(parts, owner, attribute) : attribute)),
  );
}

/** Whose password is changed. */
export interface PasswordOf {
  /** As it is at the moment of asking. */
  readonly entry: () => Entry | undefined;
  /** By the owner: only then former passwords are asked about. */
  readonly own: boolean;
  /** Place of the stored form that a password in clear fits, or -1. */
  readonly guess: (clear: string, stored: readonly string[]) => Promise<number>;
}

function ownerOf({ entry, own }: PasswordOf, { passwordHistory }: DirectorySettings): Owner {
  const found = entry();
  if (!found) return { names: [], former: [] };
  const kept = own && passwordHistory > 0;
  const former = kept ? [...found.values('userPassword').map(passwordText), ...formerPasswords(found)] : [];
  return { names: namesOf(found.attributes.values()), former };
}

/**
 * The same for modifications. Deleting a password in clear deletes the stored form that it fits, so that a client may change
 * a password by naming the old one.
 */
export async function hashModifications(
  parts: PasswordWriting,
  modifications: readonly Modification[],
  whose: PasswordOf,
): Promise<readonly Modification[]> {
  if (!modifications.some(({ attribute }) => isPassword(parts.schema, attribute))) return modifications;
  const owner = (): Owner => ownerOf(whose, parts.settings());
  const done: Modification[] = [];
  for (const modification of modifications) {
    const { operation, attribute } = modification;
    if (!isPassword(parts.schema, attribute)) done.push(modification);
    else if (operation !== 'delete') done.push({ operation, attribute: await storedForms(parts, owner, attribute) });
    else {
      const stored = (whose.entry()?.values('userPassword') ?? []).map(passwordText);
      const values: string[] = [];
      for (const value of attribute.values) {
        const text = passwordText(value);
        const place = isStoredForm(text) ? -1 : await whose.guess(text, stored);
        values.push(stored[place] ?? text);
      }
      done.push({ operation, attribute: { name: attribute.name, values } });
    }
  }
  return done;
}
