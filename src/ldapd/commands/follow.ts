/**
 * Searches that follow changes: content synchronisation and persistent search.
 *
 * What is told is the directory's business (docs/directory-sync.md); here it is encoded, as fast as the client reads. Whatever ends a
 * synchronisation, the answer has the last cookie.
 * Spec: RFC 4533 §3; draft-ietf-ldapext-psearch-03 §4
 */

import { DirectoryFault, type FollowedSearch, resultCodes, type SyncEvent, SyncRefreshRequired } from '../../directory/index.ts';
import { type Control, type Dn, encodeResponseOperation, success } from '../../ldap-wire/index.ts';
import type { Answer, Context, RequestOf } from '../command.ts';
import { asked, type ControlKind } from '../controls/control.ts';
import { changeNotice, type PersistentWish, persistentSearch } from '../controls/persistent-search.ts';
import { type SyncWish, syncDone, syncInfo, syncRequest, syncState, uuidOctets } from '../controls/sync.ts';
import { entryOperation } from '../encode-entry.ts';
import { resultOf } from '../results.ts';
import { saslMechanisms } from './sasl.ts';

type Search = RequestOf<'search'>;

/** derefAliases (RFC 4511 §4.5.1.3). */
const derefInSearching = 1;
const derefAlways = 3;

export const followControls: readonly ControlKind<unknown>[] = [syncRequest, persistentSearch];

/** The answer, where the search asks to follow; undefined where it does not. `others` are the controls that go with it. */
export async function follow(
  request: Search,
  base: Dn,
  context: Context,
  controls: readonly Control[],
  others: readonly ControlKind<unknown>[],
): Promise<Answer | undefined> {
  const sync = asked(syncRequest, controls);
  const persistent = asked(persistentSearch, controls);
  if (!sync && !persistent) return undefined;
  if (!context.followed) {
    if (!sync?.critical && !persistent?.critical) return undefined;
    throw new DirectoryFault('unavailableCriticalExtension', 'this directory cannot be followed from here');
  }
  if (sync && persistent) throw new DirectoryFault('protocolError', 'a search is synchronised or persistent, not both');
  const besides = controls.find(({ oid, critical }) => critical && !followControls.concat(others).some((kind) => kind.oid === oid));
  if (besides) {
    const why = `the control ${besides.oid.slice(0, 64)} does not go with a search that follows changes`;
    throw new DirectoryFault('unavailableCriticalExtension', why);
  }
  if (request.scope === 'base' && (await context.virtual?.read(base, context.actor, saslMechanisms(context))))
    throw new DirectoryFault('unwillingToPerform', 'this entry is computed and cannot be followed');
  if (!sync) return persistent && notify(request, base, persistent.value, context);
  if (request.derefAliases === derefInSearching || request.derefAliases === derefAlways)
    throw new DirectoryFault('protocolError', 'aliases are not dereferenced in a synchronisation');
  return synchronise(request, base, sync.value, context);
}

function followedSearch(request: Search, base: Dn, context: Context): FollowedSearch {
  const { scope, filter, attributes, typesOnly, sizeLimit, timeLimit } = request;
  const signal = context.operation.abort?.signal;
  return { base, scope, filter, attributes, typesOnly, sizeLimit, timeLimit, ...(signal ? { signal } : {}) };
}

async function synchronise(request: Search, base: Dn, wish: SyncWish, context: Context): Promise<Answer> {
  let cookie: Uint8Array | undefined;
  let deletes = false;
  if (wish.persist) context.stay();
  try {
    for await (const event of context.followed?.synchronise(context.actor, { ...followedSearch(request, base, context), ...wish }) ?? []) {
      if (context.operation.ended) break;
      if (context.tired()) await context.rest();
      if (event.kind === 'refreshed') deletes = event.deletes;
      // At the end of a refresh alone, the done control says it.
      if (wish.persist || event.kind !== 'refreshed') send(event, request.typesOnly, context);
      if ('cookie' in event && event.cookie) cookie = event.cookie;
    }
    return { result: success, controls: [syncDone(cookie, deletes && !wish.persist)] };
  } catch (thrown) {
    const last = thrown instanceof SyncRefreshRequired ? thrown.cookie : cookie;
    const result = resultOf(thrown);
    // An answer that is a refusal of the request has nothing to go on from.
    if (!last && result.code !== resultCodes.syncRefreshRequired) throw thrown;
    return { result, controls: [syncDone(last, false)] };
  }
}

function send(event: SyncEvent, typesOnly: boolean, context: Context): void {
  switch (event.kind) {
    case 'entry': {
      const uuid = uuidOctets(event.uuid);
      if (uuid) context.send(entryOperation(event.entry, typesOnly), [syncState(event.state, uuid, event.cookie)]);
      break;
    }
    case 'delete': {
      const uuid = uuidOctets(event.uuid);
      const empty = encodeResponseOperation({ op: 'entry', dn: event.dn.toString(), attributes: [] });
      if (uuid) context.send(empty, [syncState('delete', uuid, event.cookie)]);
      break;
    }
    case 'ids':
      context.send(syncInfo({ kind: 'idSet', deletes: event.deletes, uuids: event.uuids.flatMap((uuid) => uuidOctets(uuid) ?? []) }));
      break;
    case 'refreshed':
      context.send(syncInfo({ kind: event.deletes ? 'refreshDelete' : 'refreshPresent', cookie: event.cookie }));
      break;
    case 'cookie':
      context.send(syncInfo({ kind: 'newCookie', cookie: event.cookie }));
  }
}

async function notify(request: Search, base: Dn, wish: PersistentWish, context: Context): Promise<Answer> {
  context.stay();
  for await (const { entry, change } of context.followed?.notify(context.actor, { ...followedSearch(request, base, context), ...wish }) ??
    []) {
    if (context.operation.ended) break;
    if (context.tired()) await context.rest();
    context.send(entryOperation(entry, request.typesOnly), wish.notices && change ? [changeNotice(change)] : undefined);
  }
  return { result: success };
}
