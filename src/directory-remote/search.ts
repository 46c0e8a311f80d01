/**
 * Searching an external directory: a small answer at once over a shared connection, a long one page by page over one of its own.
 *
 * Promise: memory follows the page, not the answer; whoever stops reading stops the search (abandon, and the cursor is given back).
 * Spec: RFC 4511 §4.5, RFC 2696
 */

import { DirectoryFault, type Entry, resultCodes, type SearchRequest } from '../directory/index.ts';
import { BerReader, BerWriter, ber, type Control } from '../ldap-wire/index.ts';
import { searchRequest } from './client.ts';
import { type Answer, type LdapConnection, type Partial, succeed } from './connection.ts';
import { assertionControl, checkSorted, sortControl } from './controls.ts';
import { pageSize, smallAnswer } from './options.ts';
import { entryFrom } from './results.ts';
import type { Upstream } from './upstream.ts';

const pagedOid = '1.2.840.113556.1.4.319';
/** A reference in an answer that goes on elsewhere is not followed: what is there is not ours. */
/** Pages without an entry, one behind the other, before the server is taken to go round in circles. */
const mostEmptyPages = 1_000;
/** Of one answer, or page. */
const mostOctets = 64 * 1024 * 1024;

function pagedControl(size: number, cookie: Uint8Array): Control {
  const writer = new BerWriter();
  const begun = writer.begin();
  return { oid: pagedOid, critical: true, value: writer.integer(size).octets(cookie).end(begun).done() };
}

/** Where the next page begins (empty behind the last), and how many entries there are in all: 0 where the server does not know. */
function pageOf(answer: Answer): { readonly cookie: Uint8Array; readonly total: number } {
  const value = answer.controls.find((each) => each.oid === pagedOid)?.value;
  if (!value) return { cookie: new Uint8Array(), total: 0 };
  const reader = new BerReader(value);
  reader.enter(ber.sequence);
  const total = reader.integer(0, 0x7fffffff);
  return { cookie: Buffer.from(reader.octets()), total };
}

/** Controls of the request itself. */
function controlsOf({ features }: Upstream, { assertion, sort }: SearchRequest): Control[] {
  return [
    ...(assertion ? [assertionControl(features.controls, assertion)] : []),
    ...(sort && sort.length > 0 ? [sortControl(features.controls, sort)] : []),
  ];
}

/** Collects the entries of one answer, which is bounded by `mostOctets`. */
function collector(into: Entry[], { features }: Upstream): (response: Partial) => void {
  return (response) => {
    if (response.op !== 'entry') return;
    const entry = entryFrom(response.dn, response.attributes, features.classes);
    if (entry) into.push(entry);
  };
}

/** Entries of one search below one base. */
export async function* searchOne(upstream: Upstream, request: SearchRequest, timeoutMs: number): AsyncGenerator<Entry> {
  const { sizeLimit = 0, signal } = request;
  const controls = controlsOf(upstream, request);
  if (request.scope === 'base' || (sizeLimit > 0 && sizeLimit <= smallAnswer)) {
    yield* await upstream.shared.run((connection) => whole(upstream, connection, request, timeoutMs));
    return;
  }
  const small = searchRequest({ ...request, sizeLimit: smallAnswer });
  const { found, answer } = await upstream.shared.run(async (connection) => {
    const entries: Entry[] = [];
    const last = await connection.ask(small, { controls, timeoutMs, signal, mostOctets, onPartial: collector(entries, upstream) });
    return { found: entries, answer: last };
  });
  checkSorted(answer.controls);
  if (answer.response.result.code !== resultCodes.sizeLimitExceeded) {
    succeed(answer);
    yield* found;
  } else yield* pagedSearch(upstream, request, timeoutMs);
}

/** An answer that may be cut off: what came is given, then the reason. */
async function* wholeOrCut(found: readonly Entry[], answer: Answer): AsyncGenerator<Entry> {
  yield* found;
  succeed(answer);
}

async function whole(
  upstream: Upstream,
  connection: LdapConnection,
  request: SearchRequest,
  timeoutMs: number,
): Promise<AsyncGenerator<Entry>> {
  const controls = controlsOf(upstream, request);
  const found: Entry[] = [];
  const answer = await connection.ask(searchRequest(request), {
    controls,
    timeoutMs,
    signal: request.signal,
    mostOctets,
    onPartial: collector(found, upstream),
  });
  checkSorted(answer.controls);
  return wholeOrCut(found, answer);
}

/** Page by page where the server can, else in one piece. */
export async function* pagedSearch(upstream: Upstream, request: SearchRequest, timeoutMs: number): AsyncGenerator<Entry> {
  const connection = await upstream.exclusive.lease();
  try {
    if (upstream.features.controls.has(pagedOid)) yield* pages(upstream, connection, request, timeoutMs);
    else yield* await whole(upstream, connection, request, timeoutMs);
  } finally {
    upstream.exclusive.release(connection);
  }
}

async function* pages(upstream: Upstream, connection: LdapConnection, request: SearchRequest, timeoutMs: number): AsyncGenerator<Entry> {
  const controls = controlsOf(upstream, request);
  const { sizeLimit = 0, signal } = request;
  let left = sizeLimit > 0 ? sizeLimit : Number.POSITIVE_INFINITY;
  let cookie: Uint8Array = new Uint8Array();
  const ask = (size: number, into: Entry[]): Promise<Answer> =>
    connection.ask(searchRequest({ ...request, sizeLimit: 0 }), {
      controls: [...controls, pagedControl(size, cookie)],
      timeoutMs,
      signal,
      mostOctets,
      onPartial: collector(into, upstream),
    });
  let more = true;
  let empty = 0;
  try {
    while (more) {
      const found: Entry[] = [];
      const answer = await ask(pageSize, found);
      checkSorted(answer.controls);
      const page = pageOf(answer);
      cookie = page.cookie;
      if (page.total > 0) request.onTotal?.(page.total);
      more = cookie.length > 0 && answer.response.result.code === resultCodes.success;
      empty = found.length === 0 ? empty + 1 : 0;
      if (empty > mostEmptyPages) throw new DirectoryFault('unavailable', 'the directory gives page after page with nothing in it');
      for (const entry of found) {
        if (left-- <= 0) throw new DirectoryFault('sizeLimitExceeded', `the search was limited to ${sizeLimit} entries`);
        yield entry;
      }
      succeed(answer);
    }
  } finally {
    // The server keeps a place for the next page (RFC 2696 §3).
    if (more && cookie.length > 0 && !connection.lost && !signal?.aborted) await ask(0, []).catch(() => {});
  }
}
