/**
 * The view itself: a system context held whole, addresses and domains looked up and kept, one change feed for both.
 */

import { asFault, type Cancel, type Clock, counter, Fault, type Live, LiveValue, type Log, Lru, systemClock } from '../base/index.ts';
import { type Change, type Directory, DirectoryFault, type Entry, type Login, system, type Watch } from '../directory/index.ts';
import { type Dn, parseDn } from '../ldap-wire/index.ts';
import type { DomainRule, StoredKey } from '../mail-auth/index.ts';
import type { SettingsDeclaration, SettingsOf, SettingsShape } from '../settings/index.ts';
import { AddressView } from './address-view.ts';
import { liveSettings } from './live-settings.ts';
import { type DkimKey, dkimBase, MailAuthView, mailAuthBase } from './mail-auth.ts';
import { Peers } from './peers.ts';
import type { Blacklist, Dit, Domain, Forwarding, MtaPolicy, Peer, Recipient, ScramLogin, Spammer } from './port.ts';
import { connectorFrom, revokedBy } from './recipient.ts';
import { Reports } from './reports.ts';
import { mtaSettings, serverSettings } from './settings.ts';
import { blacklistBase, Strangers, spammerBase } from './strangers.ts';
import { meaningOfForwarding } from './system-rules.ts';
import { SystemView } from './system-view.ts';

export interface DitOptions {
  readonly directory: Directory;
  /** Base of the system context (`cn=mailtree`). */
  readonly systemBase: Dn;
  /** Base of the domain tree: the root, or where an external directory keeps it. */
  readonly domainBase: Dn;
  /** Trees beside both: addresses in them are information, nobody's to receive mail at. */
  readonly elsewhere?: readonly Dn[];
  /** This host's name: fills `{host}` in entries that exist once a host. */
  readonly host: string;
  /** Somebody else's server: what our rules would have refused on write is found on reading, reported and not used. */
  readonly untrusted?: boolean;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Milliseconds until a directory that could not be read is read again. */
const againMs = 1_000;
const mostLoggedIn = 50_000;

export interface OpenDit extends Dit {
  /** Calls with the mailbox key of an account that may no longer be logged in: its entry is gone, or not active any more. */
  onRevoked(listener: (uuid: string) => void): Cancel;
  /** Under which name in the directory `login` checks the password: of an entry that may log in, or of nobody. */
  loginDn(name: string): Promise<Dn>;
  /** Position up to which the view is current. */
  readonly position: number;
  /** Answers kept about addresses and domains. */
  readonly kept: number;
  /** Reads everything afresh; the last view is served meanwhile. Rejects where the directory does not answer. */
  refresh(): Promise<void>;
  close(): void;
}

const logins = counter('mailtree_logins_total', 'Log-ins of mail accounts, by door and result.', ['door', 'result']);

export async function openDit(options: DitOptions): Promise<OpenDit> {
  const view = new DitView(options);
  try {
    await view.open();
  } catch (thrown) {
    view.close();
    throw thrown;
  }
  return view;
}

class DitView implements OpenDit {
  readonly #options: DitOptions;
  readonly #system: SystemView;
  readonly #addresses: AddressView;
  readonly #clock: Clock;
  readonly mta: Live<MtaPolicy>;
  #watch: Watch | undefined;
  #closed = false;
  #opening = false;
  /** The feed has left something out: the view must be read afresh. */
  #lost = false;
  /** While the system context is being read, changes wait here. */
  #waiting: Change[] | undefined = [];
  readonly #revoked = new Set<(uuid: string) => void>();
  /** Accounts that logged in, the last of them. */
  readonly #loggedIn = new Lru<string, true>(mostLoggedIn);
  /** By domain; undefined until somebody asks, and again after any change of the system context. */
  #forwardings: ReadonlyMap<string, Forwarding> | undefined;
  /** As long. */
  #peers: Peers | undefined;
  readonly #reports: Reports;
  #strangers: Strangers | undefined;
  #mailAuth: MailAuthView | undefined;
  /** Private keys among them; by domain, as long as nothing changes. */
  #signingKeys = new Map<string, Promise<readonly StoredKey[]>>();

  constructor(options: DitOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#system = new SystemView(options.directory, options.systemBase);
    this.#addresses = new AddressView(
      options.directory,
      { base: options.domainBase, elsewhere: options.elsewhere ?? [] },
      options.untrusted ?? false,
      options.log,
      this.#clock,
    );
    this.#reports = new Reports(options.log, this.#clock);
    this.mta = this.#mtaPolicy();
    this.#system.onAny(() => {
      this.#forwardings = undefined;
      this.#peers = undefined;
      this.#strangers = undefined;
      this.#mailAuth = undefined;
      this.#signingKeys = new Map();
    });
  }

  /** One reading at a time: when the feed is interrupted while one is under way, another follows it. */
  open(): Promise<void> {
    this.#reading = this.#read();
    return this.#reading;
  }

  #reading: Promise<void> = Promise.resolve();

  async #read(): Promise<void> {
    this.#opening = true;
    try {
      do {
        this.#lost = false;
        await this.#readAfresh();
      } while (this.#lost && !this.#closed);
    } finally {
      this.#opening = false;
    }
  }

  async #readAfresh(): Promise<void> {
    const { directory, log } = this.#options;
    this.#watch?.stop();
    const waiting: Change[] = [];
    this.#waiting = waiting;
    this.#watch = await directory.watch(
      undefined,
      (change) => this.#changed(change),
      () => {
        log.warning('the change feed was interrupted: the view of the directory is read afresh');
        this.#lost = true;
        if (!this.#opening) this.#reopen();
      },
    );
    if (this.#closed) this.#watch.stop();
    await this.#system.load();
    this.#addresses.clear();
    this.#waiting = undefined;
    for (const change of waiting) this.#system.apply(change);
  }

  async refresh(): Promise<void> {
    // A reading that is under way may have passed what the caller means: another one follows it.
    this.#lost = true;
    await (this.#opening ? this.#reading : this.open());
  }

  /** The last view is served until the new one is there. */
  #reopen(): void {
    if (this.#closed || this.#opening) return;
    this.open().then(
      () => {
        this.#failing = false;
        return this.#recheck();
      },
      (thrown: unknown) => {
        if (!this.#failing)
          this.#options.log.error('the directory cannot be read: the last view is served, and this is tried again', thrown);
        this.#failing = true;
        this.#again = this.#clock.after(againMs, () => this.#reopen());
      },
    );
  }

  #failing = false;
  #again: Cancel = () => {};

  /** What the feed left out may have ended accounts that somebody is logged in to. */
  async #recheck(): Promise<void> {
    for (const [uuid] of [...this.#loggedIn.entries()]) {
      const recipient = await this.recipientByUuid(uuid).catch(() => 'unknown' as const);
      if (this.#closed) return;
      if (recipient !== 'unknown' && recipient?.status !== 'active') this.#revoke(uuid);
    }
  }

  #revoke(uuid: string): void {
    this.#loggedIn.delete(uuid);
    for (const listener of this.#revoked) listener(uuid);
  }

  onRevoked(listener: (uuid: string) => void): Cancel {
    this.#revoked.add(listener);
    return () => this.#revoked.delete(listener);
  }

  #changed(change: Change): void {
    this.#addresses.apply(change);
    const uuid = revokedBy(change);
    if (uuid !== undefined) this.#revoke(uuid);
    if (this.#waiting) this.#waiting.push(change);
    else this.#system.apply(change);
  }

  close(): void {
    this.#closed = true;
    this.#again();
    this.#watch?.stop();
  }

  get kept(): number {
    return this.#addresses.size;
  }

  get position(): number {
    return this.#watch?.position ?? 0;
  }

  recipient(address: string): Promise<Recipient | undefined> {
    return this.#addresses.recipient(address);
  }

  recipientByUuid(uuid: string): Promise<Recipient | undefined> {
    return this.#addresses.recipientByUuid(uuid);
  }

  domain(name: string): Promise<Domain | undefined> {
    return this.#addresses.domain(name);
  }

  async forwarding(domain: string): Promise<Forwarding | undefined> {
    this.#forwardings ??= this.#readForwardings();
    const name = domain.toLowerCase();
    const exact = this.#forwardings.get(name);
    if (exact || this.#forwardings.size === 0) return exact;
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const wild = this.#forwardings.get(`*${name.slice(dot)}`);
      if (wild) return wild;
    }
    return undefined;
  }

  #readForwardings(): Map<string, Forwarding> {
    const found = new Map<string, Forwarding>();
    for (const entry of this.#system.children(this.#entryName('cn=forwarding,cn=mta'))) {
      const connector = entry.isA('mtForwarding') ? connectorFrom(entry) : undefined;
      if (!connector) continue;
      const { dn, channel, identifier } = connector;
      for (const name of entry.texts('cn').flatMap((text) => meaningOfForwarding(text) ?? []))
        if (!found.has(name)) found.set(name, { dn, domain: name, channel, identifier });
    }
    return found;
  }

  peer(...names: readonly string[]): Peer {
    return this.#knownPeers().find(names);
  }

  onPeers(listener: () => void): Cancel {
    return this.#system.onChild(this.#entryName('cn=peers'), listener);
  }

  get largestInbound(): number {
    return this.#knownPeers().largestInbound;
  }

  #knownPeers(): Peers {
    this.#peers ??= new Peers(this.#system.children(this.#entryName('cn=peers')), (text) => this.#reports.say(text));
    return this.#peers;
  }

  get blacklists(): readonly Blacklist[] {
    return this.#aboutStrangers().blacklists;
  }

  spammer(address: string): Spammer | undefined {
    return this.#aboutStrangers().spammer(address);
  }

  #aboutStrangers(): Strangers {
    const below = (relative: string): Iterable<Entry> => this.#system.children(this.#entryName(relative));
    this.#strangers ??= new Strangers(below(blacklistBase), below(spammerBase), (text) => this.#reports.say(text));
    return this.#strangers;
  }

  mailAuthRule(domain: string): DomainRule | undefined {
    return this.#aboutMailAuth().rule(domain);
  }

  get signs(): boolean {
    return this.#aboutMailAuth().signs;
  }

  #aboutMailAuth(): MailAuthView {
    const below = (relative: string): Iterable<Entry> => this.#system.children(this.#entryName(relative));
    this.#mailAuth ??= new MailAuthView(below(mailAuthBase), below(dkimBase), (text) => this.#reports.say(text));
    return this.#mailAuth;
  }

  async signingKeys(domain: string): Promise<readonly StoredKey[]> {
    const active = this.#aboutMailAuth().active(domain);
    if (active.length === 0) return active as readonly [];
    const kept = this.#signingKeys;
    const known = kept.get(domain) ?? Promise.all(active.map((key) => this.#storedKey(key)));
    kept.set(domain, known);
    // What failed is tried again.
    known.catch(() => kept.delete(domain));
    return known;
  }

  /** The change feed has no secrets: they are read. */
  async #storedKey({ dn, domain, selector, type }: DkimKey): Promise<StoredKey> {
    const attributes = ['mtDkimPrivateKey'];
    const entry = await this.#options.directory.read(system('dit'), parseDn(dn), attributes).catch((thrown: unknown) => {
      throw new Fault('unavailable', 'the signing key cannot be read at present', { cause: thrown });
    });
    const privateKey = entry?.text('mtDkimPrivateKey');
    if (privateKey === undefined) throw new Fault('unavailable', `the private key of ${dn} cannot be read`);
    return { domain, selector, type, privateKey };
  }

  async loginDn(name: string): Promise<Dn> {
    return (await this.#named(name)).dn;
  }

  /**
   * An unknown name costs the same work as a wrong password and is slowed down like an account of its own, so that a stranger cannot
   * tell them apart by time, nor by what failures with other names led to.
   */
  async #named(name: string): Promise<{ recipient: Recipient | undefined; dn: Dn }> {
    const address = name.includes('@') ? name : `${name}@${this.mta.value.domain}`;
    const recipient = await this.recipient(address);
    return { recipient, dn: recipient?.login ? parseDn(recipient.dn) : this.#nobody(address) };
  }

  async login(name: string, password: string, from: { readonly door: string; readonly address: string }): Promise<Recipient> {
    const { recipient, dn } = await this.#named(name);
    return this.#loggedInAs(from.door, recipient, () => this.#options.directory.authenticate(dn, password, { ...from, name }));
  }

  async #loggedInAs(door: string, recipient: Recipient | undefined, check: () => Promise<Login> | Login): Promise<Recipient> {
    try {
      const found = await this.#checked(recipient, check);
      logins.count(door, 'ok');
      return found;
    } catch (thrown) {
      logins.count(door, asFault(thrown).kind === 'bad-credentials' ? 'refused' : 'not possible');
      throw thrown;
    }
  }

  async #checked(recipient: Recipient | undefined, check: () => Promise<Login> | Login): Promise<Recipient> {
    const refused = new Fault('bad-credentials', 'invalid name or password');
    try {
      const login = await check();
      // The password was right, so its owner may be told.
      if (login.mustChange)
        throw new Fault('bad-credentials', `the password ${login.mustChange === 'reset' ? 'must be changed first' : 'has expired'}`);
    } catch (thrown) {
      if (thrown instanceof DirectoryFault && (thrown.result === 'invalidCredentials' || thrown.result === 'unwillingToPerform'))
        throw refused;
      throw thrown;
    }
    if (recipient?.status !== 'active') throw refused;
    this.#loggedIn.set(recipient.uuid, true);
    return recipient;
  }

  get scram(): Dit['scram'] {
    const { directory } = this.#options;
    if (!directory.scram) return undefined;
    return async (name, from) => {
      const { recipient, dn } = await this.#named(name);
      const exchange = directory.scram?.(dn, { ...from, name });
      if (!exchange) throw new Fault('unavailable', 'SCRAM is not possible at present');
      const { salt, iterations } = exchange;
      const finish: ScramLogin['finish'] = async (authMessage, proof) => {
        let signature: Uint8Array = new Uint8Array();
        const who = await this.#loggedInAs(from.door, recipient, () => {
          const done = exchange.finish(authMessage, proof);
          signature = done.signature;
          return done.login;
        });
        return { recipient: who, signature };
      };
      return { salt, iterations, finish };
    };
  }

  settings<S extends SettingsShape>(declaration: SettingsDeclaration<S>): Live<SettingsOf<S>> {
    const { directory, host, log } = this.#options;
    const dn = this.#entryName(declaration.entry.replaceAll('{host}', host));
    return liveSettings(declaration, { dn, view: this.#system, directory, log, closed: () => this.#closed });
  }

  #mtaPolicy(): Live<MtaPolicy> {
    const server = this.settings(serverSettings);
    const mta = this.settings(mtaSettings);
    const entry = this.#entryName(mtaSettings.entry).toString();
    const read = (): MtaPolicy => ({
      host: server.value.host,
      domain: server.value.domain,
      defaultLocalChannel: mta.value.defaultLocalChannel,
      unknownLocalChannel: mta.value.unknownLocalChannel,
      internetChannel: mta.value.internetChannel,
      charset: server.value.localCharset,
      postmaster: mta.value.postmaster || `postmaster@${server.value.domain}`,
      entry,
    });
    const live = new LiveValue(read());
    server.onChange(() => live.set(read()));
    mta.onChange(() => live.set(read()));
    return live;
  }

  #nobody(address: string): Dn {
    return this.#options.systemBase
      .child([{ type: 'cn', value: 'nobody' }])
      .child([{ type: 'cn', value: address.toLowerCase().slice(0, 256) }]);
  }

  #entryName(relative: string): Dn {
    return parseDn(`${relative},${this.#options.systemBase.toString()}`);
  }
}
