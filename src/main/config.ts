/**
 * The configuration file: only what is needed before the directory opens.
 *
 * Promise: an unknown key, a wrong type or a bad value is refused with file, line and what is expected. Relative paths count
 * from the working directory.
 */

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { LineCounter, type Node, parseDocument } from 'yaml';
import { Fault } from '../base/index.ts';
import { parseDn } from '../ldap-wire/index.ts';
import { type ExternalDirectory, readExternal } from './config-directory.ts';
import { ConfigReader, type Where } from './config-reader.ts';

export { formatWhere, parseWhere, type Where } from './config-reader.ts';

export const doorNames = ['smtp', 'submission', 'smtps', 'imap', 'imaps', 'pop3', 'pop3s'] as const;
export type DoorName = (typeof doorNames)[number];

export interface Config {
  /** Absolute path of the file. */
  readonly file: string;
  /** Absolute path of the data directory. */
  readonly data: string;
  /** Absolute path of the folder of the log files. */
  readonly logs: string;
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
    readonly https: Where;
    /** Path of the Unix socket. */
    readonly ldapi: string | 'off';
  } & Readonly<Record<DoorName, Where>>;
  /** `address:port` of DNS servers. */
  readonly dns: readonly string[];
  /** Another LDAP server that holds the directory; undefined is the bundled one. */
  readonly directory: ExternalDirectory | undefined;
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
  const reader = new ConfigReader(path, lines);
  const error = document.errors[0];
  if (error) throw reader.fault(error.pos[0], error.message.split('\n')[0] ?? 'not YAML');
  const root = reader.map(document.contents, 'the file', rootKeys);
  const listen = reader.map(root?.get('listen', true) as Node | null | undefined, 'listen', [
    'ldap',
    'ldaps',
    'ldapi',
    'http',
    'https',
    ...doorNames,
  ]);
  const admin = reader.map(root?.get('admin', true) as Node | null | undefined, 'admin', ['password']);
  const bases = reader.map(root?.get('bases', true) as Node | null | undefined, 'bases', ['system', 'domains']);
  const host = reader.name(root, 'host') ?? hostname().toLowerCase();
  const where = (name: string): Where => reader.where(listen, name);
  const schema = reader.text(root, 'schema');
  const data = resolve(reader.text(root, 'data') ?? './data');
  const config: Config = {
    file: resolve(path),
    data,
    logs: resolve(reader.text(root, 'logs') ?? join(data, 'log')),
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
      https: where('https'),
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
    directory: readExternal(reader, root),
  };
  for (const suffix of config.suffixes.map(parseDn))
    for (const base of [config.systemBase, config.domainBase].map(parseDn))
      if (base.rdns.length > 0 && (base.isWithin(suffix) || suffix.isWithin(base)))
        throw new Fault(
          'malformed',
          `${path}: suffixes: "${suffix.toString()}" and the base "${base.toString()}" stand one below the other`,
        );
  for (const name of ['ldap', 'ldaps', 'ldapi'] as const)
    if (config.directory && config.listen[name] !== 'off')
      throw new Fault('malformed', `${path}: listen.${name} is of the bundled directory; with directory.urls it must be off or left out`);
  return config;
}

const rootKeys = [
  'data',
  'logs',
  'host',
  'domain',
  'admin',
  'example',
  'examplePassword',
  'listen',
  'dns',
  'bases',
  'suffixes',
  'schema',
  'directory',
];
