/**
 * Search, whole or in pages.
 *
 * Entries are sent as the directory yields them; where the client is slow to read, or the loop has other work, the search rests.
 * Spec: RFC 4511 §4.5, RFC 2696
 */

import { DirectoryFault, type SearchRequest } from '../../directory/index.ts';
import { type Dn, formatFilter, success } from '../../ldap-wire/index.ts';
import type { Answer, Command, Context, RequestOf } from '../command.ts';
import { type Cursor, endCursor } from '../cursors.ts';
import { entryOperation } from '../encode-entry.ts';
import { type Page, pagedControl, pagedResults, readPaged } from '../paged.ts';
import { nameOf, resultOf } from '../results.ts';
import { matches, select } from '../virtual.ts';

type Search = RequestOf<'search'>;

export const search: Command<'search'> = {
  op: 'search',
  spec: 'RFC 4511 §4.5',
  controls: [pagedResults],
  abortable: true,
  async run(request, context, controls) {
    const base = nameOf(request.base);
    if (request.scope === 'base' && context.virtual) {
      const answer = await searchVirtual(request, base, context);
      if (answer) return answer;
    }
    const paged = controls.length > 0 ? controls.find((control) => control.oid === pagedResults) : undefined;
    if (paged) return searchPage(request, base, readPaged(paged), context);
    for await (const entry of context.directory.search(context.actor, directoryRequest(request, base, context.operation.abort?.signal))) {
      if (context.operation.ended) break;
      if (context.tired()) await context.rest();
      context.send(entryOperation(entry, request.typesOnly));
    }
    return { result: success };
  },
};

/** The client's limits; the directory has its own, by who asks (RFC 4511 §4.5.1.4: the smaller one counts). */
function directoryRequest(request: Search, base: Dn, signal: AbortSignal | undefined): SearchRequest {
  return {
    base,
    scope: request.scope,
    filter: request.filter,
    attributes: request.attributes,
    typesOnly: request.typesOnly,
    sizeLimit: request.sizeLimit,
    timeLimit: request.timeLimit,
    ...(signal ? { signal } : {}),
  };
}

async function searchVirtual(request: Search, base: Dn, context: Context): Promise<Answer | undefined> {
  const entry = await context.virtual?.read(base, context.actor);
  if (!entry) return undefined;
  if (matches(entry, request.filter)) {
    const operational = context.virtual?.operational?.bind(context.virtual) ?? (() => false);
    context.send(entryOperation(select(entry, request.attributes, operational), request.typesOnly));
  }
  return { result: success };
}

/** What must stay the same from page to page. */
const signature = (request: Search, base: Dn): string =>
  [base.key, request.scope, request.typesOnly, formatFilter(request.filter), ...request.attributes].join('\n');

async function searchPage(request: Search, base: Dn, page: Page, context: Context): Promise<Answer> {
  const wanted = signature(request, base);
  const cursor = page.cookie.length > 0 ? context.cursors.take(page.cookie) : begin(request, base, context, wanted);
  if (!cursor || cursor.search !== wanted) {
    if (cursor) endCursor(cursor);
    throw new DirectoryFault('unwillingToPerform', 'the cookie of the paged search is not known (any more)');
  }
  const ended = (): void => endCursor(cursor);
  context.operation.abort?.signal.addEventListener('abort', ended);
  try {
    const more = await sendPage(cursor, page.size, request.typesOnly, context);
    return { result: success, controls: [pagedControl(more ? context.cursors.keep(cursor) : undefined)] };
  } catch (thrown) {
    endCursor(cursor);
    return { result: resultOf(thrown), controls: [pagedControl(undefined)] };
  } finally {
    context.operation.abort?.signal.removeEventListener('abort', ended);
  }
}

function begin(request: Search, base: Dn, context: Context, wanted: string): Cursor {
  const abort = new AbortController();
  // Limits hold for all pages together (RFC 2696 §2).
  const entries = context.directory.search(context.actor, directoryRequest(request, base, abort.signal));
  return { entries: entries[Symbol.asyncIterator](), next: undefined, abort, search: wanted };
}

/** Sends up to `size` entries; true when there is at least one more. Page size 0 ends the search (RFC 2696 §3). */
async function sendPage(cursor: Cursor, size: number, typesOnly: boolean, context: Context): Promise<boolean> {
  const read = async () => {
    const step = await cursor.entries.next();
    return step.done ? undefined : step.value;
  };
  let entry = cursor.next ?? (await read());
  for (let count = 0; entry && count < size && !context.operation.ended; count++) {
    if (context.tired()) await context.rest();
    context.send(entryOperation(entry, typesOnly));
    entry = await read();
  }
  cursor.next = entry;
  if (!entry || size === 0 || context.operation.ended) {
    endCursor(cursor);
    return false;
  }
  return true;
}
