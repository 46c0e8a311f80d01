/**
 * The directory as typed answers, kept current by the change feed.
 *
 * Promise: an answer reflects every change the feed has delivered; a lookup that the view has costs microseconds; memory
 * has a bound. `unknown` (the directory is away and the view does not have it) is different from "no": callers answer
 * it with a temporary reply, never a permanent one (Fault `unavailable` is thrown).
 */

import type { Cancel, Live, OutputChannel } from '../base/index.ts';
import type { DomainRule, StoredKey } from '../mail-auth/index.ts';
import type { SettingsDeclaration, SettingsOf, SettingsShape } from '../settings/index.ts';
import type { peerSettings } from './peer-settings.ts';

export type Permission = 'none' | 'send' | 'receive' | 'send-receive';

/** A connector of an address: checklist DIR-09. */
export interface Connector {
  readonly dn: string;
  readonly channel: OutputChannel;
  readonly identifier: string;
  readonly permission: Permission;
}

/** Somebody or something that has an address. */
export interface Recipient {
  readonly dn: string;
  /** entryUUID: the mailbox key. */
  readonly uuid: string;
  /** Primary address. */
  readonly mail: string;
  readonly kind: 'user' | 'shared' | 'list' | 'alias';
  readonly aliases: readonly string[];
  readonly connectors: readonly Connector[];
  /** `mailForwardingAddress`: where mail goes instead (alias entries) or, for users, in addition to the mailbox. */
  readonly forwardTo: readonly string[];
  /** `mailRoutingAddress` (RFC draft inetLocalMailRecipient): mail goes there, and not to the mailbox. */
  readonly routingAddress: string | undefined;
  /** `accountStatus`: active, nologin (receives, may not log in), disabled (neither). */
  readonly status: 'active' | 'nologin' | 'disabled';
  /** What the account may do beside that: `mtAccountPermission`. */
  readonly permission: 'send' | 'receive' | 'send-receive';
  readonly displayName: string | undefined;
  /** Octets; undefined is no limit. */
  readonly quota: number | undefined;
  /** Whether the account may log in at all: a person's entry with a password. */
  readonly login: boolean;
}

export interface Domain {
  readonly dn: string;
  /** A-label form, lower-case. */
  readonly name: string;
  /** Domain aliasing (MTA-05): mail to user@name goes to user@target when only that account exists. */
  readonly aliasOf: string | undefined;
  /** The manual's `*.`: all sub-domains that are not local by an entry of their own belong to it. */
  readonly subdomains: boolean;
  /** Whether the domain itself is local. False: it stands for its sub-domains alone. */
  readonly itself: boolean;
}

/** Domain forwarding (MTA-04). */
export interface Forwarding {
  readonly dn: string;
  readonly domain: string;
  readonly channel: OutputChannel;
  readonly identifier: string;
}

/** What is agreed with another host (checklist SMTPC-14): sizes in octets with 0 for none, the interval in minutes, the period in hours. */
export type PeerPolicy = SettingsOf<(typeof peerSettings)['settings']>;

export interface Peer extends PeerPolicy {
  /** The most specific entry's name as it is compared: `engr.xyz.org`, `192.0.2.0/24`, `default`. */
  readonly peer: string;
  /** That entry; undefined where there is none, not even `cn=default`. */
  readonly dn: string | undefined;
  /** The entry that says it, by setting. Absent: none does, and the default holds. */
  readonly saidBy: Readonly<Partial<Record<keyof PeerPolicy, string>>>;
}

/** A DNS blacklist to be asked about clients. */
export interface Blacklist {
  readonly dn: string;
  readonly zone: string;
  /** Whether mail of listed hosts is refused, or taken and tagged. */
  readonly action: 'reject' | 'pass';
  /** Addresses, ranges, networks: a host is listed where an answer is in one of them. */
  readonly answers: readonly string[];
}

export interface Spammer {
  readonly dn: string;
  /** Address or domain as it is compared. */
  readonly name: string;
}

/** RFC 5802 §3 */
export interface ScramLogin {
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** Once: the recipient and the server's signature; Fault bad-credentials otherwise. */
  finish(authMessage: string, proof: Uint8Array): Promise<{ readonly recipient: Recipient; readonly signature: Uint8Array }>;
}

export interface Dit {
  /** Who has this address (primary, alias or list), compared without regard to case. Undefined: nobody. */
  recipient(address: string): Promise<Recipient | undefined>;
  /** The same, by mailbox key. */
  recipientByUuid(uuid: string): Promise<Recipient | undefined>;
  /** The local domain this name is (`itself`) or falls under (`subdomains`), most specific first. Undefined: not ours. */
  domain(name: string): Promise<Domain | undefined>;
  /** The forwarding of this domain, or else of all sub-domains (`*.`) of the closest domain above it. */
  forwarding(domain: string): Promise<Forwarding | undefined>;
  /**
   * What holds for a host with these names and addresses (text as in HELO, `192.0.2.1`, literals), as the directory says it now. Never
   * fails; names that are none count for nothing. Entries for addresses come before those for names.
   */
  peer(...names: readonly string[]): Peer;
  /** Calls when something else may hold for a host. */
  onPeers(listener: () => void): Cancel;
  /** The largest message that any peer may send, in octets: what SIZE can promise at most. 0: some peer has no limit of its own. */
  readonly largestInbound: number;
  /** As the directory says it now, in the order of their names. */
  readonly blacklists: readonly Blacklist[];
  /** The entry of spammers that a sender's address falls under. */
  spammer(address: string): Spammer | undefined;
  /** What mail authentication does with mail from this domain: its own entry, or that of the closest domain above it. */
  mailAuthRule(domain: string): DomainRule | undefined;
  /** The keys that mail from exactly this domain is signed with. Fault `unavailable` while they cannot be read. */
  signingKeys(domain: string): Promise<readonly StoredKey[]>;
  /** Whether any domain has such a key. */
  readonly signs: boolean;
  /** Whether the name and password belong to an account that may log in: its recipient; Fault bad-credentials otherwise. */
  login(name: string, password: string, from: { readonly door: string; readonly address: string }): Promise<Recipient>;
  /**
   * The same by SCRAM-SHA-256: the server's half of the exchange, for anybody who asks. Undefined where the directory has no verifiers.
   * Fault busy after too many failures.
   */
  readonly scram: ((name: string, from: { readonly door: string; readonly address: string }) => Promise<ScramLogin>) | undefined;
  readonly mta: Live<MtaPolicy>;
  /** The settings of one declaration, read from its entry, live. `host` picks the entry of declarations that exist once a host. */
  settings<S extends SettingsShape>(declaration: SettingsDeclaration<S>): Live<SettingsOf<S>>;
}

export interface MtaPolicy {
  /** Host name (FQDN) this server goes by, and the default local domain. */
  readonly host: string;
  readonly domain: string;
  /** MTA-03: where local addresses without a connector go. */
  readonly defaultLocalChannel: OutputChannel;
  /**
   * MTA-03: what happens to unknown local recipients: bounced, or handed to a channel that can take them (SMTPC, CCIN, NOTESIN); `default`
   * is the default local delivery channel, if it can.
   */
  readonly unknownLocalChannel: OutputChannel | 'bounce' | 'default';
  readonly internetChannel: OutputChannel;
  readonly postmaster: string;
  /** Name of the entry that says all but host and domain. */
  readonly entry?: string;
  /** Character set that mail handed in without a MIME header is labelled with; empty for none. */
  readonly charset?: string;
}
