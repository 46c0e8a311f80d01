/**
 * The section `directory` of the configuration file: an external LDAP server that holds the directory.
 *
 * Promise: the password stands in a file of its own or in the environment (MAILTREE_DIRECTORY_PASSWORD), never here; it does not go over
 * the network in the clear unless the file says so in as many words.
 */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { Node, YAMLMap } from 'yaml';
import { Fault, isLoopback } from '../base/index.ts';
import { type Endpoint, parseEndpoint, type ServiceOptions } from '../directory-remote/index.ts';
import { parseDn } from '../ldap-wire/index.ts';
import type { Config } from './config.ts';
import type { ConfigReader } from './config-reader.ts';

export interface ExternalDirectory {
  /** In the order in which they are tried; all hold the same tree. */
  readonly endpoints: readonly Endpoint[];
  /** Who the product is there; undefined: SASL EXTERNAL, by a Unix socket or a client certificate. */
  readonly bindDn: string | undefined;
  /** Absolute path; undefined: the environment has the password. */
  readonly passwordFile: string | undefined;
  /** Raise ldap:// connections to TLS. */
  readonly startTls: boolean;
  /** Absolute paths of PEM files. */
  readonly caFile: string | undefined;
  readonly certificateFile: string | undefined;
  readonly keyFile: string | undefined;
  /** Connections of each kind at most. */
  readonly connections: number;
  /** Seconds an answer may take. */
  readonly timeout: number;
  /** Seconds between looks for changes, where the server tells of none. */
  readonly poll: number;
}

const keys = [
  'urls',
  'bindDn',
  'passwordFile',
  'startTls',
  'caFile',
  'certificateFile',
  'keyFile',
  'plaintext',
  'connections',
  'timeout',
  'poll',
];
const passwordVariable = 'MAILTREE_DIRECTORY_PASSWORD';

export function readExternal(reader: ConfigReader, root: YAMLMap | undefined): ExternalDirectory | undefined {
  const node = root?.get('directory', true) as Node | null | undefined;
  const map = reader.map(node, 'directory', keys);
  if (!map) return undefined;
  const at = map.range?.[0] ?? 0;
  const path = (key: string): string | undefined => {
    const text = reader.text(map, key);
    return text === undefined ? undefined : resolve(text);
  };
  const endpoints = reader.list(map, 'urls', 'ldap://, ldaps:// or ldapi:// URLs').map(({ text, at: place }) => {
    const endpoint = parseEndpoint(text);
    if (!endpoint)
      throw reader.fault(place, `directory.urls: "${text}" is none of ldap://host[:port], ldaps://host[:port], ldapi://%2Fpath`);
    return endpoint;
  });
  if (endpoints.length === 0) throw reader.fault(at, 'directory.urls must name at least one LDAP server');
  const external: ExternalDirectory = {
    endpoints,
    bindDn: reader.text(map, 'bindDn'),
    passwordFile: path('passwordFile'),
    startTls: reader.flag(map, 'startTls') ?? false,
    caFile: path('caFile'),
    certificateFile: path('certificateFile'),
    keyFile: path('keyFile'),
    connections: reader.count(map, 'connections', { min: 1, max: 64 }) ?? 4,
    timeout: reader.count(map, 'timeout', { min: 1, max: 300 }) ?? 10,
    poll: reader.count(map, 'poll', { min: 1, max: 3600 }) ?? 30,
  };
  const wrong = problemOf(external, reader.flag(map, 'plaintext') ?? false);
  if (wrong) throw reader.fault(at, wrong);
  return external;
}

function problemOf(external: ExternalDirectory, plaintext: boolean): string | undefined {
  const { bindDn, certificateFile, keyFile, endpoints, startTls } = external;
  if ((certificateFile === undefined) !== (keyFile === undefined)) return 'directory.certificateFile and directory.keyFile go together';
  if (bindDn === undefined) {
    const open = endpoints.find(({ place }) => 'host' in place && certificateFile === undefined);
    return open && `directory.bindDn is missing: ${open.url} must know who we are (a Unix socket or a client certificate would do)`;
  }
  try {
    parseDn(bindDn);
  } catch (thrown) {
    return `directory.bindDn: ${(thrown as Error).message}`;
  }
  const bare = endpoints.find(({ place, secure }) => 'host' in place && !secure && !startTls && !isLocal(place.host));
  if (bare && !plaintext)
    return `${bare.url} would get the password in the clear: use ldaps://, or startTls: true (plaintext: true allows it all the same)`;
  return undefined;
}

const isLocal = (host: string): boolean => host === 'localhost' || (isIP(host) !== 0 && isLoopback(host));

/** The password now: files may be changed while the server runs. Fault `not-found` says what is missing. */
function passwordOf({ passwordFile }: ExternalDirectory): string {
  const password = passwordFile === undefined ? process.env[passwordVariable] : readPem(passwordFile).replace(/\r?\n$/, '');
  if (!password)
    throw new Fault(
      'not-found',
      passwordFile ? `${passwordFile} is empty` : `directory.passwordFile or the environment's ${passwordVariable} must give the password`,
    );
  return password;
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Fault('not-found', `${file} cannot be read: ${(cause as Error).message}`);
  }
}

/** How to connect, for the server and for commands. */
export function serviceOptions(external: ExternalDirectory): ServiceOptions {
  const text = (file: string | undefined): string | undefined => (file === undefined ? undefined : readPem(file));
  const { endpoints, bindDn, startTls, timeout } = external;
  return {
    endpoints,
    bindDn,
    password: () => passwordOf(external),
    tls: () => ({ ca: text(external.caFile), certificate: text(external.certificateFile), key: text(external.keyFile) }),
    startTls,
    timeoutMs: timeout * 1000,
  };
}

/** The two trees, as names. */
export function basesOfConfig({ systemBase, domainBase }: Pick<Config, 'systemBase' | 'domainBase'>) {
  return { systemBase: parseDn(systemBase), domainBase: parseDn(domainBase) };
}

/** What is asked of the bundled directory where there is another one. */
/** Fault `refused` where the directory is another server's. */
export function bundledOnly(config: Pick<Config, 'directory'>): void {
  if (config.directory) throw notBundled();
}

export const notBundled = (): Fault =>
  new Fault('refused', 'the directory is an external one (directory.urls): its history, rights and files are the business of that server');
