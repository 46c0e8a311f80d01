/**
 * The configuration file: only what is needed before the directory opens.
 *
 * Promise: an unknown key, a wrong type or a bad value is refused with file, line and what is expected. Relative paths count
 * from the working directory.
 */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { Fault } from '../base/index.ts';
import { type Dn, parseDn } from '../ldap-wire/index.ts';

/** Where a listener listens. */
export type Where = { readonly host: string; readonly port: number } | 'off';

export const doorNames = ['smtp', 'submission', 'smtps', 'imap', 'imaps', 'pop3', 'pop3s'] as const;
export type DoorName = (typeof doorNames)[number];

export interface Config {
  /** Absolute path of the file. */
  readonly file: string;
  /** Absolute path of the data directory. */
  readonly data: string;
  /** Folder of the administrator's own schema files: absolute path; undefined is `schema` in the data directory, which need not exist. */
  readonly schema: string | undefined;
  readonly host: string;
  readonly domain: string;
  readonly adminPassword: string | undefined;
  readonly example: boolean;
  readonly examplePassword: string | undefined;
  /** Bases of the system context and of the domain tree. */
  readonly systemBase: string;
  readonly domainBase: string;
  /** Further names that may stand without a parent, such as `o=University of Michigan,c=US`: trees of their own beside system and domains. */
  readonly suffixes: readonly string[];
  readonly listen: {
    readonly ldap: Where;
    readonly ldaps: Where;
    readonly http: Where;
    /** Path of the Unix socket. */
    readonly ldapi: string | 'off';
  } & Readonly<Record<DoorName, Where>>;
  /** `address:port` of DNS servers. */
  readonly dns: readonly string[];
}

export function controlPath(config: Config): string {
  return join(config.data, 'run', 'control');
}

/** Reads and checks the file; a Fault `malformed` says file, line and rule. */
export function readConfig(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Fault('not-found', `configuration file ${path} cannot be read: ${(cause as Error).message}`);
  }
  return parseConfig(text, path);
}

export function parseConfig(text: string, path: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const reader = new Reader(path, lines);
  const error = document.errors[0];
  if (error) throw reader.fault(error.pos[0], error.message.split('\n')[0] ?? 'not YAML');
  const root = reader.map(document.contents, 'the file', rootKeys);
  const listen = reader.map(root?.get('listen', true) as Node | null | undefined, 'listen', [
    'ldap',
    'ldaps',
    'ldapi',
    'http',
    ...doorNames,
  ]);
  const admin = reader.map(root?.get('admin', true) as Node | null | undefined, 'admin', ['password']);
  const bases = reader.map(root?.get('bases', true) as Node | null | undefined, 'bases', ['system', 'domains']);
  const host = reader.name(root, 'host') ?? hostname().toLowerCase();
  const where = (name: string): Where => reader.where(listen, name);
  const schema = reader.text(root, 'schema');
  return {
    file: resolve(path),
    data: resolve(reader.text(root, 'data') ?? './data'),
    schema: schema === undefined ? undefined : resolve(schema),
    host,
    domain: reader.name(root, 'domain') ?? (host.includes('.') ? host.slice(host.indexOf('.') + 1) : host),
    adminPassword: reader.password(admin, 'password'),
    example: reader.flag(root, 'example') ?? false,
    examplePassword: reader.password(root, 'examplePassword'),
    systemBase: reader.text(bases, 'system') ?? 'cn=mailtree',
    domainBase: reader.text(bases, 'domains') ?? '',
    suffixes: reader.suffixes(root),
    listen: {
      ldap: where('ldap'),
      ldaps: where('ldaps'),
      http: where('http'),
      ldapi: reader.socket(listen, 'ldapi'),
      smtp: where('smtp'),
      submission: where('submission'),
      smtps: where('smtps'),
      imap: where('imap'),
      imaps: where('imaps'),
      pop3: where('pop3'),
      pop3s: where('pop3s'),
    },
    dns: reader.dns(root),
  };
}

const rootKeys = ['data', 'host', 'domain', 'admin', 'example', 'examplePassword', 'listen', 'dns', 'bases', 'suffixes', 'schema'];

/** `127.0.0.1:25`, `[::1]:25`, `localhost:25`, `*:25` or `off`; undefined where it is none. */
export function parseWhere(text: string): Where | undefined {
  if (text === 'off') return 'off';
  const match = /^(\[([0-9A-Fa-f:.]+)\]|\*|localhost|[0-9.]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[2] ?? match?.[1];
  if (!host || port > 65535) return undefined;
  if (host === '*') return { host: '::', port };
  return host === 'localhost' || isIP(host) !== 0 ? { host, port } : undefined;
}

export function formatWhere(where: Where): string {
  if (where === 'off') return 'off';
  return `${where.host.includes(':') ? `[${where.host}]` : where.host}:${where.port}`;
}

class Reader {
  readonly #path: string;
  readonly #lines: LineCounter;

  constructor(path: string, lines: LineCounter) {
    this.#path = path;
    this.#lines = lines;
  }

  fault(offset: number, say: string): Fault {
    return new Fault('malformed', `${this.#path}:${this.#lines.linePos(offset).line}: ${say}`);
  }

  map(node: Node | null | undefined, what: string, keys: readonly string[]): YAMLMap | undefined {
    if (!node || (isScalar(node) && node.value === null)) return undefined;
    if (!isMap(node)) throw this.fault(node.range?.[0] ?? 0, `${what} must hold keys and values`);
    for (const { key } of node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (!keys.includes(name))
        throw this.fault((key as Node).range?.[0] ?? 0, `unknown key "${name}" in ${what} (known: ${keys.join(', ')})`);
    }
    return node;
  }

  #scalar(map: YAMLMap | undefined, key: string): { value: unknown; written: string; at: number } | undefined {
    const node = map?.get(key, true) as Node | null | undefined;
    if (!node) return undefined;
    const at = node.range?.[0] ?? 0;
    if (!isScalar(node)) throw this.fault(at, `${key} must be a single value`);
    if (node.value === null) return undefined;
    // YAML reads 007007 and 1e6 as numbers; whoever wrote one as a password meant its characters.
    return { value: node.value, written: typeof node.value === 'string' ? node.value : (node.source ?? String(node.value)), at };
  }

  text(map: YAMLMap | undefined, key: string): string | undefined {
    const found = this.#scalar(map, key);
    if (found && typeof found.value !== 'string') throw this.fault(found.at, `${key} must be text (put it in quotes)`);
    return found?.value as string | undefined;
  }

  password(map: YAMLMap | undefined, key: string): string | undefined {
    const found = this.#scalar(map, key);
    if (!found) return undefined;
    const text = found.written;
    if (text.length < 6) throw this.fault(found.at, `${key} must have at least 6 characters`);
    return text;
  }

  flag(map: YAMLMap | undefined, key: string): boolean | undefined {
    const found = this.#scalar(map, key);
    if (found && typeof found.value !== 'boolean') throw this.fault(found.at, `${key} must be true or false`);
    return found?.value as boolean | undefined;
  }

  name(map: YAMLMap | undefined, key: string): string | undefined {
    const found = this.#scalar(map, key);
    if (!found) return undefined;
    const text = String(found.value).toLowerCase();
    if (text.length > 253 || !/^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/.test(text))
      throw this.fault(found.at, `${key} must be a host or domain name`);
    return text;
  }

  where(map: YAMLMap | undefined, key: string): Where {
    const found = this.#scalar(map, key);
    if (!found || found.value === false) return 'off';
    const where = parseWhere(String(found.value));
    if (!where) throw this.fault(found.at, `${key} must be "off" or address:port, such as 127.0.0.1:2525`);
    return where;
  }

  socket(map: YAMLMap | undefined, key: string): string | 'off' {
    const found = this.#scalar(map, key);
    if (!found || found.value === false || found.value === 'off') return 'off';
    const path = resolve(String(found.value));
    // sun_path holds 108 octets with its NUL.
    if (Buffer.byteLength(path) > 107) throw this.fault(found.at, `${key}: the path of a Unix socket must not be longer than 107 octets`);
    return path;
  }

  /** The texts of a list, each with its place; an absent list is empty. */
  #list(map: YAMLMap | undefined, key: string, what: string): { text: string; at: number }[] {
    const node = map?.get(key, true) as Node | null | undefined;
    if (!node || (isScalar(node) && node.value === null)) return [];
    if (!isSeq(node)) throw this.fault(node.range?.[0] ?? 0, `${key} must be a list of ${what}`);
    return node.items.map((item) => ({ text: isScalar(item) ? String(item.value) : '', at: (item as Node).range?.[0] ?? 0 }));
  }

  suffixes(map: YAMLMap | undefined): string[] {
    const found: Dn[] = [];
    for (const { text, at } of this.#list(map, 'suffixes', 'distinguished names')) {
      let dn: Dn;
      try {
        dn = parseDn(text);
      } catch (thrown) {
        throw this.fault(at, `suffixes: "${text}": ${(thrown as Error).message}`);
      }
      if (dn.rdns.length === 0) throw this.fault(at, 'suffixes must be a list of distinguished names');
      const other = found.find((each) => each.isWithin(dn) || dn.isWithin(each));
      if (other)
        throw this.fault(at, `suffixes: "${text}" and "${other.toString()}" stand one below the other; the upper one alone is enough`);
      found.push(dn);
    }
    return found.map((dn) => dn.toString());
  }

  dns(map: YAMLMap | undefined): string[] {
    return this.#list(map, 'dns', 'address:port').map(({ text, at }) => {
      const where = isIP(text) === 0 ? parseWhere(text) : { host: text, port: 53 };
      if (!where || where === 'off') throw this.fault(at, 'dns must be a list of address:port');
      return formatWhere(where);
    });
  }
}
