/**
 * An entry in the making: attribute values checked one by one against the schema.
 *
 * Promise: every refusal names the attribute and the rule. What only the whole entry shows (required attributes, classes)
 * is check-entry.ts's business.
 * Spec: RFC 4511 §4.6, §4.7; RFC 4512 §2.5
 */

import type { Attribute, AttributeValue } from '../entry.ts';
import { DirectoryFault, type Modification } from '../port.ts';
import type { AttributeType, Described, Schema } from '../schema/schema.ts';

const quoteLength = 60;
const bytesToText = new TextDecoder('utf-8', { fatal: true });

/** A value as it may stand in a diagnostic message; never one of a secret. */
function shown(type: AttributeType, value: AttributeValue): string {
  if (type.secret || typeof value !== 'string') return 'the value';
  return `"${value.length > quoteLength ? `${value.slice(0, quoteLength)}…` : value}"`;
}

function describe(schema: Schema, name: string): Described {
  const described = schema.describe(name);
  if (!described) throw new DirectoryFault('undefinedAttributeType', `attribute ${name.slice(0, 100)}: not defined in the schema`);
  if (described.options.some((option) => option.endsWith('-')))
    throw new DirectoryFault('undefinedAttributeType', `attribute ${name.slice(0, 100)}: a language range is for searching only`);
  return described;
}

/** The value in the form the syntax holds, checked against syntax, length and the attribute's own limits. */
export function checkedValue(type: AttributeType, given: AttributeValue): AttributeValue {
  let value: AttributeValue = given;
  if (type.syntax.textual && typeof given !== 'string') {
    try {
      value = bytesToText.decode(given);
    } catch {
      throw new DirectoryFault(
        'invalidAttributeSyntax',
        `attribute ${type.name}: the value is not UTF-8 text (syntax ${type.syntax.name})`,
      );
    }
  } else if (!type.syntax.textual && typeof given === 'string') {
    value = new Uint8Array(Buffer.from(given));
  }
  if (!type.syntax.check(value)) {
    throw new DirectoryFault('invalidAttributeSyntax', `attribute ${type.name}: ${shown(type, value)} is not a valid ${type.syntax.name}`);
  }
  checkLimits(type, value);
  return value;
}

function checkLimits(type: AttributeType, value: AttributeValue): void {
  const refuse = (rule: string): never => {
    throw new DirectoryFault('constraintViolation', `attribute ${type.name}: ${shown(type, value)} ${rule}`);
  };
  const { limits } = type;
  const longest = limits?.length ?? (type.secret ? 1024 : undefined);
  if (longest !== undefined && value.length > longest)
    refuse(`is longer than ${longest} ${typeof value === 'string' ? 'characters' : 'octets'}`);
  if (!limits || typeof value !== 'string') return;
  if (limits.min !== undefined && limits.max !== undefined) {
    if (!/^-?\d{1,100}$/.test(value) || BigInt(value) < limits.min || BigInt(value) > limits.max) {
      refuse(`is not in the range ${limits.min} to ${limits.max}`);
    }
  }
  if (limits.choices && !limits.choices.has(value.toLowerCase())) refuse(`is none of ${[...limits.choices.values()].join(', ')}`);
  if (limits.pattern && !limits.pattern.test(value))
    refuse(limits.patternHelp ? `is not ${limits.patternHelp}` : 'does not have the required form');
}

/** The form in which two values of this attribute are the same. */
export function sameness(type: AttributeType, value: AttributeValue): string {
  return type.equality?.normalise(value) ?? (typeof value === 'string' ? `s${value}` : `b${Buffer.from(value).toString('latin1')}`);
}

/** Without a schema values are the same when their octets are. */
const octetsOf = (value: AttributeValue): string => Buffer.from(value as string).toString('latin1');

/** Values by comparable form. Those nobody asks about stay as they came: preparing all of an entry for every change costs. */
class Line {
  readonly described: Described;
  #given: Attribute | undefined;
  #values: Map<string, AttributeValue> | undefined;

  constructor(described: Described, given?: Attribute) {
    this.described = described;
    this.#given = given;
  }

  /** For reading and for changing. */
  get values(): Map<string, AttributeValue> {
    this.#values ??= new Map(this.#given?.values.map((value) => [sameness(this.described.type, value), value]));
    return this.#values;
  }

  /** For changing. */
  open(): Map<string, AttributeValue> {
    const { values } = this;
    this.#given = undefined;
    return values;
  }

  get count(): number {
    return this.#given ? this.#given.values.length : this.values.size;
  }

  /** The same object as it was given, if nothing was changed. */
  attribute(): Attribute {
    return this.#given?.name === this.described.name ? this.#given : { name: this.described.name, values: [...this.values.values()] };
  }
}

export class Draft {
  readonly #schema: Schema;
  readonly #lines = new Map<string, Line>();
  /** What the schema has lost since it was written: carried along untouched. */
  readonly #foreign: Attribute[] = [];

  constructor(schema: Schema, attributes: Iterable<Attribute> = []) {
    this.#schema = schema;
    for (const attribute of attributes) {
      const described = schema.describe(attribute.name);
      if (!described) this.#foreign.push(attribute);
      else this.#lines.set(described.lower, new Line(described, attribute));
    }
  }

  attributes(): Attribute[] {
    return [...Array.from(this.#lines.values(), (line) => line.attribute()), ...this.#foreign];
  }

  lines(): Iterable<{ described: Described; count: number }> {
    return this.#lines.values();
  }

  values(name: string): readonly AttributeValue[] {
    return this.#lines.get(name.toLowerCase())?.attribute().values ?? [];
  }

  has(name: string): boolean {
    return this.#lines.has(name.toLowerCase());
  }

  /** Whether the attribute, or one with options, is there. */
  hasType(lower: string): boolean {
    if (this.#lines.has(lower)) return true;
    for (const { described } of this.#lines.values()) if (described.type.lower === lower) return true;
    return false;
  }

  hasValue(name: string, value: AttributeValue): boolean {
    const described = this.#schema.describe(name);
    return described !== undefined && (this.#lines.get(described.lower)?.values.has(sameness(described.type, value)) ?? false);
  }

  /** Sets without asking: for what the server maintains itself. */
  set(name: string, values: readonly AttributeValue[]): void {
    const described = describe(this.#schema, name);
    if (values.length === 0) this.#lines.delete(described.lower);
    else this.#lines.set(described.lower, new Line(described, { name: described.name, values }));
  }

  add(attribute: Attribute, how: { readonly merge?: boolean } = {}): void {
    const described = describe(this.#schema, attribute.name);
    const { type } = described;
    if (attribute.values.length === 0) throw new DirectoryFault('invalidAttributeSyntax', `attribute ${type.name}: no value given`);
    const line = this.#lines.get(described.lower) ?? new Line(described);
    const values = line.open();
    for (const given of attribute.values) {
      const value = checkedValue(type, given);
      const key = sameness(type, value);
      if (values.has(key)) {
        if (how.merge) continue;
        throw new DirectoryFault('attributeOrValueExists', `attribute ${type.name}: ${shown(type, value)} is there already`);
      }
      values.set(key, value);
    }
    this.#lines.set(described.lower, line);
  }

  delete(attribute: Attribute): void {
    const described = describe(this.#schema, attribute.name);
    const { type } = described;
    const line = this.#lines.get(described.lower);
    if (!line) throw new DirectoryFault('noSuchAttribute', `attribute ${type.name}: the entry does not have it`);
    if (attribute.values.length === 0) {
      this.#lines.delete(described.lower);
      return;
    }
    const values = line.open();
    for (const given of attribute.values) {
      const value = type.syntax.textual && typeof given !== 'string' ? checkedValue(type, given) : given;
      const bytes = !type.syntax.textual && typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value;
      if (!values.delete(sameness(type, bytes))) {
        throw new DirectoryFault('noSuchAttribute', `attribute ${type.name}: the entry does not have ${shown(type, value)}`);
      }
    }
    if (values.size === 0) this.#lines.delete(described.lower);
  }

  increment(attribute: Attribute): void {
    const described = describe(this.#schema, attribute.name);
    const { type } = described;
    const [by] = attribute.values;
    const integer = /^-?\d{1,18}$/;
    if (type.equality?.name !== 'integerMatch')
      throw new DirectoryFault('constraintViolation', `attribute ${type.name}: only integers can be incremented`);
    if (attribute.values.length !== 1 || typeof by !== 'string' || !integer.test(by)) {
      throw new DirectoryFault('protocolError', `attribute ${type.name}: increment takes one integer`);
    }
    const before = this.#lines.get(described.lower);
    if (!before) throw new DirectoryFault('noSuchAttribute', `attribute ${type.name}: the entry does not have it`);
    const values = [...before.values.values()].map((value) => (BigInt(String(value)) + BigInt(by)).toString());
    this.set(
      attribute.name,
      values.map((value) => checkedValue(type, value)),
    );
  }

  /**
   * Removes an attribute that the schema has lost, whole or some of its values. False where this is about anything else: another
   * operation, an attribute the schema has, or one the entry has not.
   */
  deleteForeign({ operation, attribute }: Modification): boolean {
    const removes = operation === 'delete' || (operation === 'replace' && attribute.values.length === 0);
    if (!removes || this.#schema.describe(attribute.name)) return false;
    const place = this.#foreign.findIndex(({ name }) => name.toLowerCase() === attribute.name.toLowerCase());
    const found = this.#foreign[place];
    if (!found) return false;
    const gone = new Set(attribute.values.map(octetsOf));
    const left = gone.size === 0 ? [] : found.values.filter((value) => !gone.has(octetsOf(value)));
    if (found.values.length - left.length < gone.size)
      throw new DirectoryFault('noSuchAttribute', `attribute ${found.name}: the entry does not have this value`);
    this.#foreign.splice(place, 1, ...(left.length > 0 ? [{ name: found.name, values: left }] : []));
    return true;
  }

  apply(modification: Modification): void {
    const { operation, attribute } = modification;
    if (operation === 'add') this.add(attribute);
    else if (operation === 'delete') this.delete(attribute);
    else if (operation === 'increment') this.increment(attribute);
    else {
      this.#lines.delete(describe(this.#schema, attribute.name).lower);
      if (attribute.values.length > 0) this.add(attribute);
    }
  }
}
