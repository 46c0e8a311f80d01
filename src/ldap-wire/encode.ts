/**
 * Encoding LDAP messages, responses for a server and requests for a client.
 *
 * Promise: one buffer a message, ready for the socket. `wrapOperation` puts an id around an operation that is encoded already,
 * so that what never changes is encoded once.
 * Spec: RFC 4511 §4
 */

import { ber } from './ber-read.ts';
import { BerWriter, integerSize, lengthSize, putLength } from './ber-write.ts';
import { writeFilter } from './filter-ber.ts';
import {
  type BindRequest,
  type Control,
  inner,
  type LdapResult,
  modifyOperations,
  type Request,
  type Response,
  requestTags,
  responseTags,
  scopes,
  type WireAttribute,
  type WireSearch,
} from './message.ts';

const none: readonly Control[] = [];

function writeControls(writer: BerWriter, controls: readonly Control[]): void {
  if (controls.length === 0) return;
  const begun = writer.begin(inner.controls);
  for (const control of controls) {
    const one = writer.begin();
    writer.text(control.oid);
    if (control.critical) writer.boolean(true);
    if (control.value) writer.octets(control.value);
    writer.end(one);
  }
  writer.end(begun);
}

/** Encodes one attribute with its values (PartialAttribute). */
export function writeAttribute(writer: BerWriter, attribute: WireAttribute, typesOnly = false): void {
  const begun = writer.begin();
  writer.text(attribute.name);
  const set = writer.begin(ber.set);
  if (!typesOnly) for (const value of attribute.values) writer.value(value);
  writer.end(set);
  writer.end(begun);
}

function writeResult(writer: BerWriter, result: LdapResult): void {
  writer.integer(result.code, ber.enumerated).text(result.matched).text(result.diagnostic);
  if (!result.referral || result.referral.length === 0) return;
  const begun = writer.begin(inner.referral);
  for (const url of result.referral) writer.text(url);
  writer.end(begun);
}

/** A message around an operation that is encoded already. */
export function wrapOperation(id: number, operation: Uint8Array, controls: readonly Control[] = none): Buffer {
  if (controls.length > 0) {
    const writer = new BerWriter(operation.length + 128);
    const begun = writer.begin();
    writer.integer(id).raw(operation);
    writeControls(writer, controls);
    return writer.end(begun).done();
  }
  const idSize = integerSize(id);
  const length = 2 + idSize + operation.length;
  const out = Buffer.allocUnsafe(1 + lengthSize(length) + length);
  out[0] = ber.sequence;
  let at = putLength(out, 1, length);
  out[at++] = ber.integer;
  out[at++] = idSize;
  out.writeIntBE(id, at, idSize);
  out.set(operation, at + idSize);
  return out;
}

/** The operation alone, without message id and controls. */
export function encodeResponseOperation(response: Response): Buffer {
  const writer = new BerWriter();
  const begun = writer.begin(responseTags[response.op]);
  switch (response.op) {
    case 'entry': {
      writer.text(response.dn);
      const list = writer.begin();
      for (const attribute of response.attributes) writeAttribute(writer, attribute);
      writer.end(list);
      break;
    }
    case 'reference':
      for (const url of response.urls) writer.text(url);
      break;
    case 'intermediate':
      if (response.oid !== undefined) writer.text(response.oid, inner.requestName);
      if (response.value !== undefined) writer.octets(response.value, inner.requestValue);
      break;
    case 'bind':
      writeResult(writer, response.result);
      if (response.credentials) writer.octets(response.credentials, inner.saslCredentials);
      break;
    case 'extended':
      writeResult(writer, response.result);
      if (response.oid !== undefined) writer.text(response.oid, inner.responseName);
      if (response.value !== undefined) writer.octets(response.value, inner.responseValue);
      break;
    default:
      writeResult(writer, response.result);
  }
  return writer.end(begun).done();
}

export function encodeResponse(id: number, response: Response, controls: readonly Control[] = none): Buffer {
  return wrapOperation(id, encodeResponseOperation(response), controls);
}

export function encodeRequest(id: number, request: Request, controls: readonly Control[] = none): Buffer {
  const writer = new BerWriter();
  const begun = writer.begin();
  writer.integer(id);
  writeRequest(writer, request);
  writeControls(writer, controls);
  return writer.end(begun).done();
}

function writeRequest(writer: BerWriter, request: Request): void {
  const tag = requestTags[request.op];
  switch (request.op) {
    case 'unbind':
      writer.octets(new Uint8Array(0), tag);
      return;
    case 'delete':
      writer.text(request.dn, tag);
      return;
    case 'abandon':
      writer.integer(request.target, tag);
      return;
  }
  const begun = writer.begin(tag);
  writeBody(writer, request);
  writer.end(begun);
}

function writeBody(writer: BerWriter, request: Exclude<Request, { op: 'unbind' | 'delete' | 'abandon' }>): void {
  switch (request.op) {
    case 'bind':
      writeBind(writer, request);
      break;
    case 'search':
      writeSearch(writer, request);
      break;
    case 'modify': {
      const list = writer.text(request.dn).begin();
      for (const { operation, attribute } of request.modifications) {
        const one = writer.begin();
        writer.integer(modifyOperations.indexOf(operation), ber.enumerated);
        writeAttribute(writer, attribute);
        writer.end(one);
      }
      writer.end(list);
      break;
    }
    case 'add': {
      const list = writer.text(request.dn).begin();
      for (const attribute of request.attributes) writeAttribute(writer, attribute);
      writer.end(list);
      break;
    }
    case 'rename':
      writer.text(request.dn).text(request.rdn).boolean(request.deleteOldRdn);
      if (request.newSuperior !== undefined) writer.text(request.newSuperior, inner.newSuperior);
      break;
    case 'compare': {
      const one = writer.text(request.dn).begin();
      writer.text(request.attribute).octets(request.value).end(one);
      break;
    }
    case 'extended':
      writer.text(request.oid, inner.requestName);
      if (request.value) writer.octets(request.value, inner.requestValue);
      break;
  }
}

function writeBind(writer: BerWriter, { version, name, method }: BindRequest): void {
  writer.integer(version).text(name);
  if (method.type === 'simple') writer.octets(method.password, inner.simple);
  else if (method.type === 'sasl') {
    const begun = writer.begin(inner.sasl);
    writer.text(method.mechanism);
    if (method.credentials) writer.octets(method.credentials);
    writer.end(begun);
  }
}

function writeSearch(writer: BerWriter, search: WireSearch): void {
  writer.text(search.base).integer(scopes.indexOf(search.scope), ber.enumerated).integer(search.derefAliases, ber.enumerated);
  writer.integer(search.sizeLimit).integer(search.timeLimit).boolean(search.typesOnly);
  writeFilter(writer, search.filter);
  const list = writer.begin();
  for (const attribute of search.attributes) writer.text(attribute);
  writer.end(list);
}
