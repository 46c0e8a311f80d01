/** Searches that follow changes, as a client of raw octets sees them. */

import { syncDone, syncInfo, syncInfoOid, syncState, uuidText } from '../../src/directory-remote/sync/messages.ts';
import { BerReader, BerWriter, ber, type Control, type Message, type Request, type Response } from '../../src/ldap-wire/index.ts';
import type { RawLdap } from './ldap-door.ts';

export const syncOid = '1.3.6.1.4.1.4203.1.9.1.1';
export const persistentOid = '2.16.840.1.113730.3.4.3';
const noticeOid = '2.16.840.1.113730.3.4.7';

export function syncs(mode: number, cookie?: Uint8Array | string, reloadHint = false, critical = true): Control {
  const writer = new BerWriter();
  const begun = writer.begin();
  writer.integer(mode, ber.enumerated);
  if (cookie !== undefined) writer.octets(typeof cookie === 'string' ? Buffer.from(cookie) : cookie);
  if (reloadHint) writer.boolean(true);
  return { oid: syncOid, critical, value: writer.end(begun).done() };
}

export function persists(types: number, changesOnly: boolean, notices: boolean): Control {
  const writer = new BerWriter();
  const begun = writer.begin();
  writer.integer(types).boolean(changesOnly).boolean(notices);
  return { oid: persistentOid, critical: true, value: writer.end(begun).done() };
}

/** One message in a line, and its cookie. */
export interface Told {
  readonly say: string;
  readonly cookie: string | undefined;
  readonly id: number;
}

const short = (dn: string): string => dn.split(',')[0] ?? '';

/** Writes messages as lines: `add cn=x`, `delete cn=x`, `ids present 3`, `refreshPresent`, `cookie`, `done 0 deletes`. `uuids` learns names. */
export function told({ id, body, controls }: Message<Response>, uuids = new Map<string, string>()): Told {
  const line = (say: string, cookie?: Uint8Array): Told => ({ id, say, cookie: cookie && Buffer.from(cookie).toString('latin1') });
  if (body.op === 'entry') {
    const state = syncState(controls);
    if (!state) return line(`entry ${short(body.dn)}${noticeOf(controls)}`);
    uuids.set(state.uuid, short(body.dn));
    return line(`${state.state} ${short(body.dn)}`, state.cookie);
  }
  if (body.op === 'intermediate' && body.oid === syncInfoOid) {
    const info = syncInfo(body.value ?? new Uint8Array());
    if (info.kind === 'ids') {
      const names = info.uuids.map((uuid) => uuids.get(uuid) ?? uuidText(uuid)).sort();
      return line(`ids ${info.deletes ? 'deleted' : 'present'} ${names.join(' ')}`, info.cookie);
    }
    return line(info.kind === 'cookie' ? 'cookie' : `${info.kind}${info.done ? '' : ' not done'}`, info.cookie);
  }
  if (body.op !== 'search') throw new Error(`unexpected ${body.op}`);
  const done = syncDone(controls);
  return line(`done ${body.result.code}${done?.refreshDeletes ? ' deletes' : ''}`, done?.cookie);
}

function noticeOf(controls: readonly Control[]): string {
  const value = controls.find(({ oid }) => oid === noticeOid)?.value;
  if (!value) return '';
  const reader = new BerReader(value);
  reader.enter(ber.sequence);
  const type = reader.integer(1, 8, ber.enumerated);
  const previous = reader.is(ber.octets) ? ` from ${short(reader.text())}` : '';
  return ` ${type}${previous} #${reader.integer(0, 0x7fffffff)}`;
}

export class Follower {
  readonly client: RawLdap;
  readonly id: number;
  readonly uuids = new Map<string, string>();
  cookie: string | undefined;

  constructor(client: RawLdap, id: number, request: Request, ...controls: Control[]) {
    this.client = client;
    this.id = id;
    client.send(id, request, controls);
  }

  async next(): Promise<string> {
    const message = await this.client.next();
    if (!message) return 'closed';
    const line = told(message, this.uuids);
    this.cookie = line.cookie ?? this.cookie;
    return line.say;
  }

  /** Lines up to one that begins so. */
  async until(...ends: string[]): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.next();
      lines.push(line);
      if (line === 'closed' || ends.some((end) => line.startsWith(end))) return lines;
    }
  }
}
