/**
 * The operations that change the directory: add, modify, rename, delete; and compare, which changes nothing.
 *
 * What is checked here is the shape of the request; schema and rights are the directory's business.
 * Spec: RFC 4511 §4.6 – §4.10, RFC 4525, RFC 4527, RFC 4528
 */

import { DirectoryFault, type Entry, resultCodes, type WriteResult } from '../../directory/index.ts';
import { type Dn, type Filter, parseRdn, success, type WireModification } from '../../ldap-wire/index.ts';
import type { Answer, Command, Context, RequestOf } from '../command.ts';
import { asked } from '../controls/control.ts';
import { passwordPolicy } from '../controls/password-policy.ts';
import { assertion, manageDsaIt, postRead, preRead, readControls, subtreeDelete, writeOptions } from '../controls/update.ts';
import { asDnFault, nameOf } from '../results.ts';
import { textIfPossible } from '../values.ts';
import { assertVirtual, hasValue } from '../virtual.ts';
import { saslMechanisms } from './sasl.ts';

/** Success, with the entries that were asked for. */
function done(what: WriteResult): Answer {
  const controls = readControls(what);
  return controls.length === 0 ? { result: success } : { result: success, controls };
}

/** Computed entries are as the server is: nobody writes them. */
async function checkStored(dn: Dn, context: Context): Promise<void> {
  const entry = await context.virtual?.read(dn, context.actor, saslMechanisms(context));
  if (!entry) return;
  const what = dn.rdns.length === 0 ? 'the root DSE' : dn.toString();
  throw new DirectoryFault('unwillingToPerform', `${what} is made by the server itself: it cannot be changed`);
}

export const add: Command<'add'> = {
  op: 'add',
  spec: 'RFC 4511 §4.7',
  controls: [assertion, postRead, manageDsaIt, passwordPolicy],
  async run(request, context, controls) {
    const dn = nameOf(request.dn);
    const seen = new Set<string>();
    for (const { name, values } of request.attributes) {
      if (values.length === 0) throw new DirectoryFault('protocolError', `${name.slice(0, 64)}: a new attribute needs a value`);
      if (seen.has(name.toLowerCase())) throw new DirectoryFault('attributeOrValueExists', `${name.slice(0, 64)}: given twice`);
      seen.add(name.toLowerCase());
    }
    if (dn.rdns.length > 0) await checkStored(dn, context);
    return done(await context.directory.add(context.actor, dn, request.attributes, writeOptions(controls)));
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
  controls: [assertion, preRead, postRead, manageDsaIt, passwordPolicy],
  async run(request, context, controls) {
    const dn = nameOf(request.dn);
    for (const modification of request.modifications) checkModification(modification);
    await checkStored(dn, context);
    return done(await context.directory.modify(context.actor, dn, request.modifications, writeOptions(controls)));
  },
};

export const rename: Command<'rename'> = {
  op: 'rename',
  spec: 'RFC 4511 §4.9',
  controls: [assertion, preRead, postRead, manageDsaIt],
  async run(request, context, controls) {
    const dn = nameOf(request.dn);
    const rdn = asDnFault(() => parseRdn(request.rdn));
    await checkStored(dn, context);
    const newSuperior = request.newSuperior === undefined ? undefined : nameOf(request.newSuperior);
    const to = { rdn, deleteOldRdn: request.deleteOldRdn, ...(newSuperior ? { newSuperior } : {}) };
    return done(await context.directory.rename(context.actor, dn, to, writeOptions(controls)));
  },
};

export const remove: Command<'delete'> = {
  op: 'delete',
  spec: 'RFC 4511 §4.8',
  controls: [assertion, preRead, subtreeDelete, manageDsaIt],
  async run(request, context, controls) {
    const subtree = asked(subtreeDelete, controls) !== undefined;
    const dn = nameOf(request.dn);
    await checkStored(dn, context);
    return done(await context.directory.delete(context.actor, dn, { ...writeOptions(controls), subtree }));
  },
};

export const compare: Command<'compare'> = {
  op: 'compare',
  spec: 'RFC 4511 §4.10',
  controls: [assertion, manageDsaIt, passwordPolicy],
  async run(request, context, controls) {
    const dn = nameOf(request.dn);
    const condition = asked(assertion, controls)?.value;
    const virtual = await context.virtual?.read(dn, context.actor, saslMechanisms(context));
    const same = virtual
      ? compareVirtual(virtual, request, condition)
      : await context.directory.compare(
          context.actor,
          dn,
          request.attribute,
          textIfPossible(request.value),
          condition ? { assertion: condition } : {},
        );
    return { result: { ...success, code: resultCodes[same ? 'compareTrue' : 'compareFalse'] } };
  },
};

function compareVirtual(entry: Entry, { attribute, value }: RequestOf<'compare'>, condition: Filter | undefined): boolean {
  if (condition) assertVirtual(entry, condition);
  if (!entry.has(attribute)) throw new DirectoryFault('noSuchAttribute', `attribute ${attribute.slice(0, 64)}: the entry does not have it`);
  return hasValue(entry, attribute, value);
}
