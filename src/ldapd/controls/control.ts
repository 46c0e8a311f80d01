/**
 * What a control is to this door, and how the controls of a request are looked through.
 *
 * Promise: a critical control that the operation does not know is refused, one that is not critical is passed over; a control given
 * twice, or one whose value makes no sense, is refused by its name.
 * Spec: RFC 4511 §4.1.11
 */

import { asFault, Fault } from '../../base/index.ts';
import { DirectoryFault } from '../../directory/index.ts';
import { BerReader, type Control } from '../../ldap-wire/index.ts';

export interface ControlKind<T> {
  readonly oid: string;
  /** As in "the … control". */
  readonly name: string;
  readonly spec: string;
  /** It has no value, and being there is all it says. */
  readonly bare?: true;
  /** The value as the operation takes it. Throws Fault `malformed`. */
  read(value: Uint8Array | undefined): T;
}

/** A control without a value. */
export const bare = (oid: string, name: string, spec: string): ControlKind<true> => ({
  oid,
  name,
  spec,
  bare: true,
  read(value) {
    if (value && value.length > 0) throw new Fault('malformed', 'it has no value');
    return true;
  },
});

/** Reads a value that is one BER element and nothing behind it. */
export function whole<T>(value: Uint8Array | undefined, read: (reader: BerReader) => T): T {
  if (!value) throw new Fault('malformed', 'its value is missing');
  const reader = new BerReader(value);
  const out = read(reader);
  if (reader.more) throw new Fault('malformed', 'octets behind its value');
  return out;
}

/** Refuses what cannot be obeyed. `elsewhere` are the kinds that other operations know. */
export function checkControls(
  op: string,
  known: readonly ControlKind<unknown>[],
  controls: readonly Control[],
  elsewhere: readonly ControlKind<unknown>[],
): void {
  const seen = new Set<ControlKind<unknown>>();
  for (const { oid, critical } of controls) {
    const kind = known.find((one) => one.oid === oid);
    if (!kind) {
      if (!critical) continue;
      const other = elsewhere.find((one) => one.oid === oid);
      const why = other ? `the ${other.name} control makes no sense with ${op}` : `the control ${oid.slice(0, 64)} is not known here`;
      throw new DirectoryFault('unavailableCriticalExtension', why);
    }
    if (seen.has(kind)) throw new DirectoryFault('protocolError', `the ${kind.name} control is given twice`);
    seen.add(kind);
    // Nobody looks into it later.
    if (kind.bare) asked(kind, controls);
  }
}

export interface Asked<T> {
  readonly value: T;
  readonly critical: boolean;
}

/** The control of this kind, if the request has it. Throws DirectoryFault protocolError where its value makes no sense. */
export function asked<T>(kind: ControlKind<T>, controls: readonly Control[]): Asked<T> | undefined {
  const control = controls.find(({ oid }) => oid === kind.oid);
  if (!control) return undefined;
  try {
    return { value: kind.read(control.value), critical: control.critical };
  } catch (thrown) {
    const { kind: what, say } = asFault(thrown);
    if (what !== 'malformed') throw thrown;
    throw new DirectoryFault('protocolError', `the ${kind.name} control: ${say}`);
  }
}
