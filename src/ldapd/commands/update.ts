/**
 * The operations that change the directory: add, modify, rename, delete; and compare, which changes nothing.
 *
 * What is checked here is the shape of the request; schema and rights are the directory's business.
 * Spec: RFC 4511 §4.6 – §4.10, RFC 4525
 */

import { DirectoryFault, resultCodes } from '../../directory/index.ts';
import { parseRdn, success, type WireModification } from '../../ldap-wire/index.ts';
import type { Command } from '../command.ts';
import { asDnFault, nameOf } from '../results.ts';
import { textIfPossible } from '../values.ts';
import { hasValue } from '../virtual.ts';

export const add: Command<'add'> = {
  op: 'add',
  spec: 'RFC 4511 §4.7',
  async run(request, context) {
    const dn = nameOf(request.dn);
    const seen = new Set<string>();
    for (const { name, values } of request.attributes) {
      if (values.length === 0) throw new DirectoryFault('protocolError', `${name.slice(0, 64)}: a new attribute needs a value`);
      if (seen.has(name.toLowerCase())) throw new DirectoryFault('attributeOrValueExists', `${name.slice(0, 64)}: given twice`);
      seen.add(name.toLowerCase());
    }
    await context.directory.add(context.actor, dn, request.attributes);
    return { result: success };
  },
};

function checkModification({ operation, attribute }: WireModification): void {
  const name = attribute.name.slice(0, 64);
  if (operation === 'add' && attribute.values.length === 0) throw new DirectoryFault('protocolError', `${name}: nothing to add`);
  if (operation === 'increment' && attribute.values.length !== 1) {
    throw new DirectoryFault('protocolError', `${name}: an increment has one value`);
  }
}

export const modify: Command<'modify'> = {
  op: 'modify',
  spec: 'RFC 4511 §4.6',
  async run(request, context) {
    const dn = nameOf(request.dn);
    for (const modification of request.modifications) checkModification(modification);
    await context.directory.modify(context.actor, dn, request.modifications);
    return { result: success };
  },
};

export const rename: Command<'rename'> = {
  op: 'rename',
  spec: 'RFC 4511 §4.9',
  async run(request, context) {
    const dn = nameOf(request.dn);
    const rdn = asDnFault(() => parseRdn(request.rdn));
    const newSuperior = request.newSuperior === undefined ? undefined : nameOf(request.newSuperior);
    await context.directory.rename(context.actor, dn, { rdn, deleteOldRdn: request.deleteOldRdn, ...(newSuperior ? { newSuperior } : {}) });
    return { result: success };
  },
};

export const remove: Command<'delete'> = {
  op: 'delete',
  spec: 'RFC 4511 §4.8',
  async run(request, context) {
    await context.directory.delete(context.actor, nameOf(request.dn));
    return { result: success };
  },
};

export const compare: Command<'compare'> = {
  op: 'compare',
  spec: 'RFC 4511 §4.10',
  async run(request, context) {
    const dn = nameOf(request.dn);
    const virtual = await context.virtual?.read(dn, context.actor);
    if (virtual && !virtual.has(request.attribute)) throw new DirectoryFault('noSuchAttribute', 'the entry does not have this attribute');
    const same = virtual
      ? hasValue(virtual, request.attribute, request.value)
      : await context.directory.compare(context.actor, dn, request.attribute, textIfPossible(request.value));
    return { result: { ...success, code: resultCodes[same ? 'compareTrue' : 'compareFalse'] } };
  },
};
