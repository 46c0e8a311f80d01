/**
 * Reading the values of the configuration file: each with its place, so that a refusal names file, line and what is expected.
 */

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { isMap, isScalar, isSeq, type LineCounter, type Node, type YAMLMap } from 'yaml';
import { Fault } from '../base/index.ts';
import { type Dn, parseDn } from '../ldap-wire/index.ts';

/** Where a listener listens. */
export type Where = { readonly host: string; readonly port: number } | 'off';

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

export class ConfigReader {
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

  /** Seconds, or another whole number. */
  count(map: YAMLMap | undefined, key: string, range: { readonly min: number; readonly max: number }): number | undefined {
    const found = this.#scalar(map, key);
    if (!found) return undefined;
    const { value } = found;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < range.min || value > range.max)
      throw this.fault(found.at, `${key} must be a whole number from ${range.min} to ${range.max}`);
    return value;
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
  list(map: YAMLMap | undefined, key: string, what: string): { text: string; at: number }[] {
    const node = map?.get(key, true) as Node | null | undefined;
    if (!node || (isScalar(node) && node.value === null)) return [];
    if (!isSeq(node)) throw this.fault(node.range?.[0] ?? 0, `${key} must be a list of ${what}`);
    return node.items.map((item) => ({ text: isScalar(item) ? String(item.value) : '', at: (item as Node).range?.[0] ?? 0 }));
  }

  suffixes(map: YAMLMap | undefined): string[] {
    const found: Dn[] = [];
    for (const { text, at } of this.list(map, 'suffixes', 'distinguished names')) {
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
    return this.list(map, 'dns', 'address:port').map(({ text, at }) => {
      const where = isIP(text) === 0 ? parseWhere(text) : { host: text, port: 53 };
      if (!where || where === 'off') throw this.fault(at, 'dns must be a list of address:port');
      return formatWhere(where);
    });
  }
}
