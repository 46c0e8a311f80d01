/**
 * Decoding LDAP messages, requests for a server and responses for a client.
 *
 * Promise: work and memory are bounded by the message and `messageLimits`. A message whose structure is broken, or whose
 * operation is unknown, throws BrokenBer: RFC 4511 §4.1.1 wants the session ended. One whose operation is known but makes no
 * sense throws BadRequest, which carries what an answer needs.
 * Spec: RFC 4511 §4.1.1
 */

import { asFault, Fault } from '../base/index.ts';
import { BerReader, BrokenBer, ber } from './ber-read.ts';
import { readFilter } from './filter-ber.ts';
import {
  type Control,
  inner,
  type LdapResult,
  type Message,
  maxMessageId,
  messageLimits,
  modifyOperations,
  type Request,
  type RequestName,
  type Response,
  requestTags,
  responseTags,
  scopes,
  type WireAttribute,
  type WireModification,
} from './message.ts';

/** A request that can be told apart and answered, but not carried out. */
export class BadRequest extends Fault {
  readonly id: number;
  readonly operation: RequestName;

  constructor(id: number, operation: RequestName, say: string) {
    super('malformed', say);
    this.name = 'BadRequest';
    this.id = id;
    this.operation = operation;
  }
}

const requestNames = new Map(Object.entries(requestTags).map(([name, tag]) => [tag as number, name as RequestName]));
const responseNames = new Map(Object.entries(responseTags).map(([name, tag]) => [tag as number, name as Response['op']]));
const copy = (octets: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(octets);
const noControls: readonly Control[] = [];

/** Opens a message: its id, with the reader before the operation. All failures here are fatal. */
function open(octets: Uint8Array): { id: number; reader: BerReader } {
  const reader = new BerReader(octets);
  try {
    const outer = reader.enter(ber.sequence);
    if (reader.end !== outer) throw new BrokenBer('octets behind the message');
    return { id: reader.integer(0, maxMessageId), reader };
  } catch (thrown) {
    if (thrown instanceof BrokenBer) throw thrown;
    throw new BrokenBer(asFault(thrown).say);
  }
}

/** Decodes one request. Throws BrokenBer or BadRequest. */
export function decodeRequest(octets: Uint8Array): Message<Request> {
  const { id, reader } = open(octets);
  const name = requestNames.get(reader.tag);
  if (!name) throw new BrokenBer('an unknown operation');
  // Message id 0 belongs to the server's unsolicited notices (RFC 4511 §4.1.1.1).
  if (id === 0) throw new BrokenBer('message id 0 in a request');
  try {
    const body = readRequest(reader, name);
    return { id, body, controls: readControls(reader) };
  } catch (thrown) {
    if (thrown instanceof BrokenBer || !(thrown instanceof Fault)) throw thrown;
    throw new BadRequest(id, name, thrown.say);
  }
}

function readControls(reader: BerReader): readonly Control[] {
  if (!reader.is(inner.controls)) {
    reader.leave(reader.end);
    return noControls;
  }
  const outer = reader.enter(inner.controls);
  const controls: Control[] = [];
  while (reader.more) {
    if (controls.length >= messageLimits.controls) throw new Fault('malformed', `more than ${messageLimits.controls} controls`);
    const end = reader.enter(ber.sequence);
    const oid = reader.text();
    const critical = reader.is(ber.boolean) && reader.boolean();
    const value = reader.is(ber.octets) ? copy(reader.octets()) : undefined;
    reader.leave(end);
    controls.push({ oid, critical, value });
  }
  reader.leave(outer);
  reader.leave(reader.end);
  return controls;
}

function readRequest(reader: BerReader, name: RequestName): Request {
  const tag = requestTags[name];
  switch (name) {
    case 'unbind':
      reader.octets(tag);
      return { op: name };
    case 'delete':
      return { op: name, dn: reader.text(tag) };
    case 'abandon':
      return { op: name, target: reader.integer(0, maxMessageId, tag) };
  }
  const outer = reader.enter(tag);
  const request = readBody(reader, name);
  reader.leave(outer);
  return request;
}

function readBody(reader: BerReader, name: Exclude<RequestName, 'unbind' | 'delete' | 'abandon'>): Request {
  switch (name) {
    case 'bind':
      return readBind(reader);
    case 'search':
      return readSearch(reader);
    case 'modify':
      return { op: name, dn: reader.text(), modifications: readModifications(reader) };
    case 'add':
      return { op: name, dn: reader.text(), attributes: readAttributes(reader, { left: messageLimits.values }) };
    case 'rename':
      return {
        op: name,
        dn: reader.text(),
        rdn: reader.text(),
        deleteOldRdn: reader.boolean(),
        newSuperior: reader.is(inner.newSuperior) ? reader.text(inner.newSuperior) : undefined,
      };
    case 'compare': {
      const dn = reader.text();
      const outer = reader.enter(ber.sequence);
      const attribute = reader.text();
      const value = copy(reader.octets());
      reader.leave(outer);
      return { op: name, dn, attribute, value };
    }
    case 'extended':
      return {
        op: name,
        oid: reader.text(inner.requestName),
        value: reader.is(inner.requestValue) ? copy(reader.octets(inner.requestValue)) : undefined,
      };
  }
}

function readBind(reader: BerReader): Request {
  const version = reader.integer(1, 127);
  const name = reader.text();
  if (reader.is(inner.simple))
    return { op: 'bind', version, name, method: { type: 'simple', password: copy(reader.octets(inner.simple)) } };
  if (reader.is(inner.sasl)) {
    const outer = reader.enter(inner.sasl);
    const mechanism = reader.text();
    const credentials = reader.is(ber.octets) ? copy(reader.octets()) : undefined;
    reader.leave(outer);
    return { op: 'bind', version, name, method: { type: 'sasl', mechanism, credentials } };
  }
  if (!reader.more) throw new Fault('malformed', 'the authentication method is missing');
  return { op: 'bind', version, name, method: { type: 'unknown' } };
}

function readSearch(reader: BerReader): Request {
  const base = reader.text();
  const scope = scopes[reader.integer(0, 2, ber.enumerated)]!;
  const derefAliases = reader.integer(0, 3, ber.enumerated);
  const sizeLimit = reader.integer(0, maxMessageId);
  const timeLimit = reader.integer(0, maxMessageId);
  const typesOnly = reader.boolean();
  const filter = readFilter(reader);
  const outer = reader.enter(ber.sequence);
  const attributes: string[] = [];
  while (reader.more) {
    if (attributes.length >= messageLimits.attributes)
      throw new Fault('malformed', `more than ${messageLimits.attributes} attributes asked for`);
    attributes.push(reader.text());
  }
  reader.leave(outer);
  return { op: 'search', base, scope, derefAliases, sizeLimit, timeLimit, typesOnly, filter, attributes };
}

function readAttribute(reader: BerReader, budget: { left: number }): WireAttribute {
  const outer = reader.enter(ber.sequence);
  const name = reader.text();
  const set = reader.enter(ber.set);
  const values: (string | Uint8Array)[] = [];
  while (reader.more) {
    if (budget.left-- <= 0) throw new Fault('malformed', `more than ${messageLimits.values} values in one message`);
    values.push(reader.value());
  }
  reader.leave(set);
  reader.leave(outer);
  return { name, values };
}

function readAttributes(reader: BerReader, budget: { left: number }): WireAttribute[] {
  const outer = reader.enter(ber.sequence);
  const attributes: WireAttribute[] = [];
  while (reader.more) {
    if (attributes.length >= messageLimits.attributes) throw new Fault('malformed', `more than ${messageLimits.attributes} attributes`);
    attributes.push(readAttribute(reader, budget));
  }
  reader.leave(outer);
  return attributes;
}

function readModifications(reader: BerReader): WireModification[] {
  const outer = reader.enter(ber.sequence);
  const modifications: WireModification[] = [];
  const budget = { left: messageLimits.values };
  while (reader.more) {
    if (modifications.length >= messageLimits.attributes)
      throw new Fault('malformed', `more than ${messageLimits.attributes} modifications`);
    const end = reader.enter(ber.sequence);
    const operation = modifyOperations[reader.integer(0, 3, ber.enumerated)]!;
    const attribute = readAttribute(reader, budget);
    reader.leave(end);
    modifications.push({ operation, attribute });
  }
  reader.leave(outer);
  return modifications;
}

/** Decodes one response. Throws BrokenBer, or Fault `malformed` for what makes no sense. */
export function decodeResponse(octets: Uint8Array): Message<Response> {
  const { id, reader } = open(octets);
  const name = responseNames.get(reader.tag);
  if (!name) throw new BrokenBer('an unknown operation');
  const outer = reader.enter(reader.tag);
  const body = readResponse(reader, name);
  reader.leave(outer);
  return { id, body, controls: readControls(reader) };
}

function readResponse(reader: BerReader, op: Response['op']): Response {
  switch (op) {
    case 'entry':
      // An answer may be as long as the client's own limit allows: a large group has more values than a request may.
      return { op, dn: reader.text(), attributes: readAttributes(reader, { left: Number.POSITIVE_INFINITY }) };
    case 'reference': {
      const urls: string[] = [];
      while (reader.more) urls.push(reader.text());
      return { op, urls };
    }
    case 'intermediate': {
      const oid = reader.is(inner.requestName) ? reader.text(inner.requestName) : undefined;
      const value = reader.is(inner.requestValue) ? copy(reader.octets(inner.requestValue)) : undefined;
      return { op, ...(oid === undefined ? {} : { oid }), ...(value === undefined ? {} : { value }) };
    }
    case 'bind': {
      const result = readResult(reader);
      return reader.is(inner.saslCredentials) ? { op, result, credentials: copy(reader.octets(inner.saslCredentials)) } : { op, result };
    }
    case 'extended': {
      const result = readResult(reader);
      const oid = reader.is(inner.responseName) ? reader.text(inner.responseName) : undefined;
      const value = reader.is(inner.responseValue) ? copy(reader.octets(inner.responseValue)) : undefined;
      return { op, result, ...(oid === undefined ? {} : { oid }), ...(value === undefined ? {} : { value }) };
    }
    default:
      return { op, result: readResult(reader) };
  }
}

function readResult(reader: BerReader): LdapResult {
  const result = { code: reader.integer(0, maxMessageId, ber.enumerated), matched: reader.text(), diagnostic: reader.text() };
  if (!reader.is(inner.referral)) return result;
  const outer = reader.enter(inner.referral);
  const referral: string[] = [];
  while (reader.more) referral.push(reader.text());
  reader.leave(outer);
  return { ...result, referral };
}
