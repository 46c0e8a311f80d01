/**
 * Search, whole or in pages, in order or not.
 *
 * Entries are sent as the directory yields them; where the client is slow to read, or the loop has other work, the search rests.
 * Spec: RFC 4511 §4.5, RFC 2696, RFC 2891 §2, RFC 4528 §3
 */

import { DirectoryFault, type SearchRequest, SortFault, type SortKey } from '../../directory/index.ts';
import { type Control, type Dn, type Filter, formatFilter, type LdapResult, success } from '../../ldap-wire/index.ts';
import type { Answer, Command, Context, RequestOf } from '../command.ts';
import { type Asked, asked } from '../controls/control.ts';
import { type Page, pagedControl, pagedResults } from '../controls/paged.ts';
import { sortControl, sortRequest } from '../controls/sort.ts';
import { assertion, manageDsaIt } from '../controls/update.ts';
import { type Cursor, endCursor } from '../cursors.ts';
import { entryOperation } from '../encode-entry.ts';
import { nameOf, resultOf } from '../results.ts';
import { assertVirtual, matches, select } from '../virtual.ts';
import { follow, followControls } from './follow.ts';
import { saslMechanisms } from './sasl.ts';

type Search = RequestOf<'search'>;

/** What the controls of a search ask for. */
interface Wishes {
  readonly page: Page | undefined;
  readonly sort: Asked<readonly SortKey[]> | undefined;
  readonly assertion: Filter | undefined;
}

export const search: Command<'search'> = {
  op: 'search',
  spec: 'RFC 4511 §4.5',
  controls: [pagedResults, sortRequest, assertion, manageDsaIt, ...followControls],
  abortable: true,
  now(request, { directory, virtual, actor }) {
    if (!directory.answerNow) return undefined;
    const base = nameOf(request.base);
    // Where a virtual entry is asked for, `run` sees to it.
    if (request.scope === 'base' && virtual?.read(base, actor, []) !== undefined) return undefined;
    return directory.answerNow(actor, directoryRequest(request, base, noWishes, undefined));
  },
  async run(request, context, controls) {
    const base = nameOf(request.base);
    const followed = controls.length > 0 ? await follow(request, base, context, controls, [manageDsaIt]) : undefined;
    if (followed) return followed;
    const wishes = wishesOf(controls);
    if (request.scope === 'base' && context.virtual) {
      const answer = await searchVirtual(request, base, wishes, context);
      if (answer) return answer;
    }
    if (wishes.page || wishes.sort) return searchByCursor(request, base, wishes, context);
    const { signal } = context.operation.abort ?? {};
    for await (const entry of context.directory.search(context.actor, directoryRequest(request, base, wishes, signal))) {
      if (context.operation.ended) break;
      if (context.tired()) await context.rest();
      context.send(entryOperation(entry, request.typesOnly));
    }
    return { result: success };
  },
};

const noWishes: Wishes = { page: undefined, sort: undefined, assertion: undefined };

function wishesOf(controls: readonly Control[]): Wishes {
  if (controls.length === 0) return noWishes;
  return {
    page: asked(pagedResults, controls)?.value,
    sort: asked(sortRequest, controls),
    assertion: asked(assertion, controls)?.value,
  };
}

/** The client's limits; the directory has its own, by who asks (RFC 4511 §4.5.1.4: the smaller one counts). */
function directoryRequest(request: Search, base: Dn, wishes: Wishes, signal: AbortSignal | undefined): SearchRequest {
  return {
    base,
    scope: request.scope,
    filter: request.filter,
    attributes: request.attributes,
    typesOnly: request.typesOnly,
    sizeLimit: request.sizeLimit,
    timeLimit: request.timeLimit,
    ...(signal ? { signal } : {}),
    ...(wishes.assertion ? { assertion: wishes.assertion } : {}),
  };
}

/** One entry, or none, is a page and is in order. */
async function searchVirtual(request: Search, base: Dn, wishes: Wishes, context: Context): Promise<Answer | undefined> {
  const entry = await context.virtual?.read(base, context.actor, saslMechanisms(context));
  if (!entry) return undefined;
  if (wishes.assertion) assertVirtual(entry, wishes.assertion);
  const found = matches(entry, request.filter) === true;
  if (found) {
    const operational = context.virtual?.operational?.bind(context.virtual) ?? (() => false);
    if (context.tired()) await context.rest();
    context.send(entryOperation(select(entry, request.attributes, operational), request.typesOnly));
  }
  const controls = [
    ...(wishes.page ? [pagedControl(undefined, found ? 1 : 0)] : []),
    ...(wishes.sort && found ? [sortControl(undefined)] : []),
  ];
  return { result: success, controls };
}

/** What must stay the same from page to page. */
const signature = (request: Search, base: Dn, { sort, assertion: condition }: Wishes): string =>
  JSON.stringify([
    base.key,
    request.scope,
    request.typesOnly,
    formatFilter(request.filter),
    request.attributes,
    sort?.value ?? [],
    condition ? formatFilter(condition) : '',
  ]);

async function searchByCursor(request: Search, base: Dn, wishes: Wishes, context: Context): Promise<Answer> {
  const { page } = wishes;
  const wanted = signature(request, base, wishes);
  const known = page && page.cookie.length > 0 ? context.cursors.take(page.cookie) : undefined;
  if (page && page.cookie.length > 0 && known?.search !== wanted) {
    if (known) endCursor(known);
    throw new DirectoryFault('unwillingToPerform', 'the cookie of the paged search is not known (any more)');
  }
  const cursor = known ?? (await begin(request, base, wishes, wanted, context));
  if (!('entries' in cursor)) return cursor;
  const ended = (): void => endCursor(cursor);
  context.operation.abort?.signal.addEventListener('abort', ended);
  let result: LdapResult = success;
  let some = cursor.next !== undefined;
  let more = false;
  try {
    more = await sendPage(cursor, page?.size ?? Number.POSITIVE_INFINITY, request.typesOnly, context);
  } catch (thrown) {
    endCursor(cursor);
    result = resultOf(thrown);
    // RFC 2891 §2: a search that failed says nothing of an order; one that only came to its limit has its entries in order.
    some &&= thrown instanceof DirectoryFault && thrown.result === 'sizeLimitExceeded';
  } finally {
    context.operation.abort?.signal.removeEventListener('abort', ended);
  }
  const whose = context.actor.dn || context.actor.as === 'system' ? 'others' : 'strangers';
  const controls = [
    ...(page ? [pagedControl(more ? context.cursors.keep(cursor, whose) : undefined, cursor.total)] : []),
    ...(cursor.sorted && (some || cursor.sorted.fault) ? [sortControl(cursor.sorted.fault)] : []),
  ];
  return { result, controls };
}

/** Begins a search and reads its first entry; an answer where it must be in order and cannot be (RFC 2891 §2, scenarios 3 and 4). */
async function begin(request: Search, base: Dn, wishes: Wishes, wanted: string, context: Context): Promise<Cursor | Answer> {
  const { sort } = wishes;
  // Limits hold for all pages together (RFC 2696 §2).
  const start = async (keys: readonly SortKey[] | undefined, fault: SortFault | undefined): Promise<Cursor> => {
    const abort = new AbortController();
    const stop = (): void => abort.abort();
    context.operation.abort?.signal.addEventListener('abort', stop);
    let total = 0;
    const asks: SearchRequest = {
      ...directoryRequest(request, base, wishes, abort.signal),
      ...(keys ? { sort: keys } : {}),
      onTotal: (about) => {
        total = about;
        if (cursor) cursor.total = about;
      },
    };
    let cursor: Cursor | undefined;
    try {
      const entries = context.directory.search(context.actor, asks)[Symbol.asyncIterator]();
      const first = await entries.next();
      cursor = { entries, next: first.done ? undefined : first.value, abort, search: wanted, sorted: sort && { fault }, total };
      return cursor;
    } finally {
      context.operation.abort?.signal.removeEventListener('abort', stop);
    }
  };
  try {
    return await start(sort?.value, undefined);
  } catch (thrown) {
    if (!sort || !(thrown instanceof SortFault)) throw thrown;
    if (!sort.critical) return start(undefined, thrown);
    const refused = new DirectoryFault('unavailableCriticalExtension', `the answer cannot be put in order: ${thrown.say}`);
    return { result: resultOf(refused), controls: [sortControl(thrown)] };
  }
}

/** Sends up to `size` entries; true when there is at least one more. Page size 0 ends the search (RFC 2696 §3). */
async function sendPage(cursor: Cursor, size: number, typesOnly: boolean, context: Context): Promise<boolean> {
  let entry = cursor.next;
  for (let count = 0; entry && count < size && !context.operation.ended; count++) {
    if (context.tired()) await context.rest();
    context.send(entryOperation(entry, typesOnly));
    const step = await cursor.entries.next();
    entry = step.done ? undefined : step.value;
  }
  cursor.next = entry;
  if (!entry || size === 0 || context.operation.ended) {
    endCursor(cursor);
    return false;
  }
  return true;
}
