/** Controls as octets, and what the answers carry. */

import {
  BerReader,
  BerWriter,
  ber,
  type Control,
  decodeResponse,
  type Message,
  parseFilter,
  type Request,
  type Response,
  wrapOperation,
  writeFilter,
} from '../../src/ldap-wire/index.ts';
import type { RawLdap } from './ldap-door.ts';

export const assertionOid = '1.3.6.1.1.12';
export const preReadOid = '1.3.6.1.1.13.1';
export const postReadOid = '1.3.6.1.1.13.2';
export const pagedOid = '1.2.840.113556.1.4.319';
export const sortOid = '1.2.840.113556.1.4.473';
export const sortedOid = '1.2.840.113556.1.4.474';
export const subtreeOid = '1.2.840.113556.1.4.805';
export const manageOid = '2.16.840.1.113730.3.4.2';

export const codeOf = (message: Message<Response> | undefined): number | undefined =>
  message && 'result' in message.body ? message.body.result.code : undefined;
export const sayOf = (message: Message<Response> | undefined): string | undefined =>
  message && 'result' in message.body ? message.body.result.diagnostic : undefined;

/** Entries, and the answer behind them. */
export interface Found {
  /** First part of each name. */
  readonly names: string[];
  readonly entries: Message<Response>[];
  readonly done: Message<Response>;
}

let lastId = 10_000;
export const ask = (client: RawLdap, request: Request, ...controls: Control[]): Promise<Message<Response> | undefined> =>
  client.ask(++lastId, request, controls);

export async function find(client: RawLdap, request: Request, ...controls: Control[]): Promise<Found> {
  client.send(++lastId, request, controls);
  const entries: Message<Response>[] = [];
  for (;;) {
    const message = await client.next();
    if (!message) throw new Error('the connection was closed');
    if (message.body.op !== 'entry')
      return { entries, names: entries.map(({ body }) => (body.op === 'entry' ? (body.dn.split(',')[0] ?? '') : '')), done: message };
    entries.push(message);
  }
}

export const control = (oid: string, value?: Uint8Array, critical = true): Control => ({ oid, critical, value });
export const asserts = (filter: string, critical = true): Control => {
  const writer = new BerWriter();
  writeFilter(writer, parseFilter(filter));
  return control(assertionOid, writer.done(), critical);
};
export const names = (list: readonly string[]): Buffer => {
  const writer = new BerWriter();
  const begun = writer.begin();
  for (const name of list) writer.text(name);
  return writer.end(begun).done();
};
export const sorts = (keys: readonly (readonly [string, string?, boolean?])[], critical = true): Control => {
  const writer = new BerWriter();
  const list = writer.begin();
  for (const [attribute, rule, reverse] of keys) {
    const key = writer.begin();
    writer.text(attribute);
    if (rule !== undefined && rule !== '') writer.text(rule, 0x80);
    if (reverse !== undefined) writer.boolean(reverse, 0x81);
    writer.end(key);
  }
  return control(sortOid, writer.end(list).done(), critical);
};
export const pages = (size: number, cookie: Uint8Array = new Uint8Array(0), critical = true): Control => {
  const writer = new BerWriter();
  const begun = writer.begin();
  writer.integer(size).octets(cookie);
  return control(pagedOid, writer.end(begun).done(), critical);
};
export function pageOf(message: Message<Response>): { total: number; cookie: Uint8Array } {
  const reader = new BerReader(message.controls.find(({ oid }) => oid === pagedOid)?.value ?? new Uint8Array(0));
  reader.enter(ber.sequence);
  return { total: reader.integer(0, 0x7fffffff), cookie: Uint8Array.from(reader.octets()) };
}
export function sortedOf(message: Message<Response>): [number, string?] | undefined {
  const value = message.controls.find(({ oid }) => oid === sortedOid)?.value;
  if (!value) return undefined;
  const reader = new BerReader(value);
  reader.enter(ber.sequence);
  const code = reader.integer(0, 1000, ber.enumerated);
  return reader.more ? [code, reader.text(0x80)] : [code];
}
/** The entry in a pre-read or post-read control of an answer. */
export function readOf(message: Message<Response> | undefined, oid: string): Record<string, readonly (string | Uint8Array)[]> | undefined {
  const value = message?.controls.find((one) => one.oid === oid)?.value;
  if (!value) return undefined;
  const { body } = decodeResponse(wrapOperation(1, value));
  if (body.op !== 'entry') throw new Error('no entry');
  return { dn: [body.dn], ...Object.fromEntries(body.attributes.map(({ name, values }) => [name, values])) };
}
