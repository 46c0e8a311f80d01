/**
 * One server of the external directory, while it answers: what it can do, and connections to it.
 *
 * Promise: all connections go to this one server, so that what is read is never older than what its feed has told. When the first
 * connection (the feed's) is lost or silent, all of it is over.
 * Spec: RFC 4512 §5.1
 */

import type { ConnectionOptions } from 'node:tls';
import { type Cancel, Fault } from '../base/index.ts';
import { DirectoryFault, type Entry, resultCodes } from '../directory/index.ts';
import { type Dn, parseFilter, rootDn } from '../ldap-wire/index.ts';
import { ClassTree } from './class-tree.ts';
import { bindExternal, bindSimple, searchRequest } from './client.ts';
import { LdapConnection, succeed } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { answerLimit, type Bases, type RemoteOptions, type ServiceOptions } from './options.ts';
import { Leases, leave, Shared } from './pool.ts';
import { entryFrom, nameFrom } from './results.ts';

export interface Features {
  readonly controls: ReadonlySet<string>;
  readonly extensions: ReadonlySet<string>;
  /** Naming contexts that concern us. */
  readonly contexts: readonly Dn[];
  /** Whether a search from the root finds everything below it. */
  readonly root: boolean;
  /** The schema as the server publishes it. */
  readonly published: Entry | undefined;
  readonly classes: ClassTree;
}

/** Milliseconds until a server that says nothing to our first words is tried anew: those may have been lost. */
const handshakeMs = 5_000;

const anything = parseFilter('(objectClass=*)');

export class Upstream {
  readonly endpoint: Endpoint;
  readonly features: Features;
  /** The feed's own connection. */
  readonly feed: LdapConnection;
  readonly shared: Shared;
  /** For answers of many pages: a server keeps one cursor a connection. */
  readonly exclusive: Leases;
  /** For log-ins: whoever was bound there last, the next bind says who is there. */
  readonly logins: Leases;
  #cancel: Cancel = () => {};

  private constructor(endpoint: Endpoint, feed: LdapConnection, features: Features, options: RemoteOptions) {
    this.endpoint = endpoint;
    this.feed = feed;
    this.features = features;
    const bound = (): Promise<LdapConnection> => connectBound(endpoint, options);
    const pool = { most: options.connections, clock: options.clock };
    this.shared = new Shared(bound, options.connections);
    this.exclusive = new Leases(bound, pool);
    this.logins = new Leases(() => connectTo(endpoint, options), pool);
    this.#beat(options);
  }

  /** Connects, says who we are, asks what the server can. */
  static async open(endpoint: Endpoint, options: RemoteOptions): Promise<Upstream> {
    const feed = await connectBound(endpoint, options);
    try {
      return new Upstream(endpoint, feed, await featuresOf(feed, options), options);
    } catch (thrown) {
      feed.close();
      throw thrown;
    }
  }

  /** A connection over which nothing comes may be half open: the root DSE is asked for, and must come. */
  #beat(options: RemoteOptions): void {
    const { clock, keepAliveMs, timeoutMs } = options;
    this.#cancel = clock.after(keepAliveMs, () => {
      if (this.feed.lost) return;
      if (clock.now() - this.feed.heardAt < keepAliveMs) return this.#beat(options);
      this.probe(Math.min(timeoutMs, keepAliveMs)).then(
        () => this.#beat(options),
        () => {},
      );
    });
  }

  /** Whether the server is still there; the connection is over where it is not. */
  async probe(timeoutMs: number): Promise<void> {
    const request = searchRequest({ base: rootDn, scope: 'base', filter: anything, attributes: ['1.1'] });
    try {
      await this.feed.ask(request, { timeoutMs });
    } catch (thrown) {
      this.feed.destroy(thrown);
      throw thrown;
    }
  }

  close(): void {
    this.#cancel();
    for (const part of [this.shared, this.exclusive, this.logins]) part.close();
    leave(this.feed);
  }
}

function tlsOf({ tls }: ServiceOptions): ConnectionOptions {
  const { ca, certificate, key } = tls();
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Not bound yet. */
async function connectTo(endpoint: Endpoint, options: ServiceOptions): Promise<LdapConnection> {
  const { timeoutMs, startTls } = options;
  // A lost SYN is sent again after one second and three: waiting longer for a server that is back costs more than asking anew.
  const wait = Math.min(timeoutMs, 3_000);
  const connection = await LdapConnection.connect(endpoint.place, {
    timeoutMs: wait,
    tls: endpoint.secure ? tlsOf(options) : undefined,
    answerLimit,
  });
  if (startTls && !endpoint.secure && 'host' in endpoint.place) await guarded(connection, () => connection.startTls(tlsOf(options), wait));
  return connection;
}

export async function connectBound(endpoint: Endpoint, options: ServiceOptions): Promise<LdapConnection> {
  const password = options.bindDn === undefined ? '' : options.password();
  const connection = await connectTo(endpoint, options);
  const { bindDn } = options;
  const wait = Math.min(options.timeoutMs, handshakeMs);
  await guarded(connection, () =>
    bindDn === undefined ? bindExternal(connection, wait) : bindSimple(connection, bindDn, password, wait),
  ).catch((thrown: unknown) => {
    if (thrown instanceof DirectoryFault && thrown.result === 'unavailable') throw thrown;
    const who = bindDn === undefined ? 'by SASL EXTERNAL' : `as ${bindDn}`;
    const why = thrown instanceof Fault ? thrown.say : 'failed';
    throw new DirectoryFault(
      thrown instanceof DirectoryFault ? thrown.result : 'other',
      `${endpoint.url} does not let us in ${who}: ${why}`,
      {
        cause: thrown,
      },
    );
  });
  return connection;
}

async function guarded(connection: LdapConnection, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    connection.destroy(thrown);
    throw thrown;
  }
}

export async function featuresOf(connection: LdapConnection, options: Bases & Pick<ServiceOptions, 'timeoutMs'>): Promise<Features> {
  const names = ['namingContexts', 'supportedControl', 'supportedExtension', 'subschemaSubentry'];
  const dse = await firstEntry(connection, { base: rootDn, scope: 'base', filter: anything, attributes: names }, options.timeoutMs);
  const published = await subschemaOf(connection, dse, options.timeoutMs);
  return {
    controls: new Set(dse?.texts('supportedControl')),
    extensions: new Set(dse?.texts('supportedExtension')),
    contexts: (dse?.texts('namingContexts') ?? []).flatMap((text) => nameFrom(text) ?? []).filter((dn) => concerns(dn, options)),
    root: options.domainBase.rdns.length === 0 && (await searchesRoot(connection, dse?.has('namingContexts') ?? false, options.timeoutMs)),
    published,
    classes: new ClassTree(published),
  };
}

async function subschemaOf(connection: LdapConnection, dse: Entry | undefined, timeoutMs: number): Promise<Entry | undefined> {
  const base = nameFrom(dse?.text('subschemaSubentry') ?? '');
  if (!base || base.rdns.length === 0) return undefined;
  const attributes = ['objectClasses', 'attributeTypes'];
  return firstEntry(connection, { base, scope: 'base', filter: parseFilter('(objectClass=subschema)'), attributes }, timeoutMs);
}

/** The system's context, and those of domains: others (cn=config, cn=accesslog) are not our business. */
function concerns(context: Dn, { systemBase, domainBase }: Bases): boolean {
  if (systemBase.isWithin(context) || context.isWithin(systemBase)) return true;
  if (domainBase.rdns.length > 0) return domainBase.isWithin(context) || context.isWithin(domainBase);
  return context.rdns[context.rdns.length - 1]?.[0]?.type.toLowerCase() === 'dc';
}

/** A tree that is empty and has no parts finds nothing, and does not refuse either. */
async function searchesRoot(connection: LdapConnection, parts: boolean, timeoutMs: number): Promise<boolean> {
  let found = false;
  const request = searchRequest({ base: rootDn, scope: 'sub', filter: anything, attributes: ['1.1'], sizeLimit: 1 });
  const answer = await connection.ask(request, {
    timeoutMs,
    mostOctets: answerLimit * 2,
    onPartial(response) {
      found ||= response.op === 'entry' && response.dn !== '';
    },
  });
  return found || (!parts && answer.response.result.code === resultCodes.success);
}

/** The first entry of an answer; undefined where there is none or it may not be known. */
export async function firstEntry(
  connection: LdapConnection,
  search: Parameters<typeof searchRequest>[0],
  timeoutMs: number,
  classes?: ClassTree,
): Promise<Entry | undefined> {
  let found: Entry | undefined;
  const answer = await connection.ask(searchRequest(search), {
    timeoutMs,
    mostOctets: answerLimit * 2,
    onPartial(response) {
      if (response.op === 'entry') found ??= entryFrom(response.dn, response.attributes, classes);
    },
  });
  if (answer.response.result.code === resultCodes.noSuchObject) return undefined;
  succeed(answer);
  return found;
}

/** `dc=…` names a level of the domain tree. */
export const isDomainLevel = (dn: Dn): boolean => dn.rdns[0]?.length === 1 && dn.rdns[0][0]?.type.toLowerCase() === 'dc';

/** Where to search and to listen for changes: the fewest bases that hold system context and domain tree. */
export function basesOf(features: Features, { systemBase, domainBase }: Bases): Dn[] {
  if (features.root) return [rootDn];
  const wanted = domainBase.rdns.length > 0 ? [systemBase, domainBase] : [...features.contexts, systemBase];
  return wanted.filter(
    (dn, n) => !wanted.some((other, m) => (m < n && other.key === dn.key) || (other.key !== dn.key && dn.isWithin(other))),
  );
}
