/**
 * Server side sorting: the keys that are asked for, and what became of them.
 * Spec: RFC 2891 §1
 */

import { Fault } from '../../base/index.ts';
import { resultCodes, type SortFault, type SortKey } from '../../directory/index.ts';
import { BerWriter, ber, type Control } from '../../ldap-wire/index.ts';
import { type ControlKind, whole } from './control.ts';

/** Tags inside one key. */
const orderingRule = 0x80;
const reverseOrder = 0x81;
/** More than any directory sorts by. */
const mostKeys = 64;

export const sortRequest: ControlKind<readonly SortKey[]> = {
  oid: '1.2.840.113556.1.4.473',
  name: 'server side sorting',
  spec: 'RFC 2891 §1.1',
  read: (value) =>
    whole(value, (reader) => {
      const outer = reader.enter(ber.sequence);
      const keys: SortKey[] = [];
      while (reader.more) {
        if (keys.length >= mostKeys) throw new Fault('malformed', `more than ${mostKeys} sort keys`);
        const end = reader.enter(ber.sequence);
        const attribute = reader.text();
        const rule = reader.is(orderingRule) ? reader.text(orderingRule) : undefined;
        const reverse = reader.is(reverseOrder) && reader.boolean(reverseOrder);
        reader.leave(end);
        keys.push({ attribute, reverse, ...(rule === undefined ? {} : { rule }) });
      }
      reader.leave(outer);
      if (keys.length === 0) throw new Fault('malformed', 'there is no sort key');
      return keys;
    }),
};

const sortResponse = '1.2.840.113556.1.4.474';

/** The control of an answer: sorted, or why not. */
export function sortControl(fault: SortFault | undefined): Control {
  const writer = new BerWriter(64);
  const begun = writer.begin();
  writer.integer(fault ? resultCodes[fault.result] : resultCodes.success, ber.enumerated);
  if (fault?.attribute !== undefined) writer.text(fault.attribute, 0x80);
  return { oid: sortResponse, critical: false, value: writer.end(begun).done() };
}
