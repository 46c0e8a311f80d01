/** What the external directory needs to know. */

import type { Clock, Log, Random } from '../base/index.ts';
import type { Dn } from '../ldap-wire/index.ts';
import type { Endpoint } from './endpoint.ts';

export interface TlsFiles {
  /** PEM of the authorities to trust; undefined trusts those of the system. */
  readonly ca: string | undefined;
  /** PEM of a certificate and key that say who we are. */
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

/** How to get in. */
export interface ServiceOptions {
  /** Tried in this order. All of them hold the same tree: the next one is used when one does not answer. */
  readonly endpoints: readonly Endpoint[];
  /** Who the product is there; undefined is SASL EXTERNAL (Unix socket or client certificate). */
  readonly bindDn: string | undefined;
  /** Read anew for each connection, so that it can be changed while the server runs. */
  readonly password: () => string;
  /** Read anew for each connection. */
  readonly tls: () => TlsFiles;
  /** Raise plain connections to TLS before anything else is said. */
  readonly startTls: boolean;
  /** Milliseconds an answer may take. */
  readonly timeoutMs: number;
}

/** The two trees the product lives in. */
export interface Bases {
  /** Base of the system context, and of the domain tree (the root: every naming context the server has below `dc`). */
  readonly systemBase: Dn;
  readonly domainBase: Dn;
}

export interface RemoteOptions extends ServiceOptions, Bases {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Connections of each kind at most: shared ones, ones for long answers, ones for log-ins. */
  readonly connections: number;
  /** Milliseconds between signs of life that are asked for. */
  readonly keepAliveMs: number;
  /** Milliseconds between looks for changes, where the server tells none by itself. */
  readonly pollMs: number;
  /** Seconds the first delay takes after failed log-ins; 0 is none. */
  readonly failureDelay: () => number;
}

/** Octets of one message of the server at most. */
export const answerLimit = 16 * 1024 * 1024;
/** Entries a page of a long answer has. */
export const pageSize = 500;
/** Up to so many entries an answer is fetched at once, on a connection that others use too. */
export const smallAnswer = 100;
