/** Address to routes, with the reasons: what the preprocessor, SMTPD's RCPT and `explain` ask. Source: checklist MTA-01 … 05, 22, 23 */

import type { InputChannel, OutputChannel } from '../base/index.ts';

/** One way a recipient's mail goes. */
export interface Route {
  readonly address: string;
  readonly queue: OutputChannel;
  /** Mailbox key (entryUUID) for LOCAL, list key for DL, next-hop domain for SMTPC, decoder address for BSMTPOUT … */
  readonly identifier: string;
}

/** Why an address, or a target behind it, gets no mail. */
export interface Refusal {
  /** The address that failed: the one asked for, or a target of its forwarding. */
  readonly address: string;
  /** Enhanced status (RFC 3463). One that begins with 4 may be different later. */
  readonly status: string;
  /** For people: one line. */
  readonly text: string;
  /** The attribute that decides it, where one does: `accountStatus`; and the entry it stands in. */
  readonly rule?: string;
  readonly entry?: string;
}

/** One step of a decision. */
export interface Step {
  /** What was being decided about. */
  readonly address: string;
  /** The rule: `connector`, `domain alias`, `unknown local` … */
  readonly rule: string;
  /** Whether it decided something, or was looked at and did not apply (told only where `whyNot` asks for it). */
  readonly applied: boolean;
  /** DN of the entry that decided; undefined where a setting or the absence of an entry did. */
  readonly entry?: string;
  readonly text: string;
}

export interface Routing {
  readonly routes: readonly Route[];
  /** What could not be routed. With routes: some targets work and some do not. Never empty when there are no routes. */
  readonly refusals: readonly Refusal[];
  readonly steps: readonly Step[];
  /** The address belongs to us: its domain is local, or the directory knows it. */
  readonly local: boolean;
}

export interface RoutingContext {
  readonly inputChannel: InputChannel;
  readonly sender?: string;
  /** Rules that were looked at and do not apply are among the steps. */
  readonly whyNot?: boolean;
}

/** `yes`: somebody here, or a channel takes it; `unknown`: ours but nobody; `remote`: not ours. */
export type Verdict = 'yes' | 'unknown' | 'remote';

/** As a verdict; of what is ours but refused for more than that nobody has it, why. */
export type Judgement = Verdict | Refusal;

export interface Router {
  /** Fault `unavailable` while the directory cannot say. */
  route(address: string, context?: Partial<RoutingContext>): Promise<Routing>;
  /** Same faults. */
  acceptable(address: string): Promise<Verdict>;
  /** What SMTPD asks at RCPT. Same faults. */
  judge(address: string): Promise<Judgement>;
}
