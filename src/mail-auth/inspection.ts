/**
 * A message from outside, looked at while it comes in.
 *
 * SPF is asked about from the beginning, keys and policies once the header is there, and only what is not known at the end is waited for,
 * for a limited time. What is found decides nothing by itself: policy.ts does.
 *
 * Promise: memory does not grow with the message; whatever it is made of, there is a finding.
 * Spec: RFC 8601 §2.7
 */

import type { Clock, Random } from '../base/index.ts';
import { type HeaderField, normalizeDomain, parseAddressList } from '../mail/index.ts';
import { type ArcVerdict, vouchedBy } from './arc.ts';
import { MessageSignatures } from './dkim-message.ts';
import type { Claims, Verdict } from './dkim-verify.ts';
import { type DmarcVerdict, type Found, findPolicy, judgeDomain, required, strictest, tooMany } from './dmarc.ts';
import { type Field, fieldsOf, HeaderGate } from './header.ts';
import type { Lookup } from './resolver.ts';
import { pretends } from './results.ts';
import type { MailAuthSettings } from './settings.ts';
import { checkedOf, checkHelo, checkSender, type SpfClient, type SpfVerdict } from './spf.ts';

export interface Findings {
  readonly spf: readonly SpfVerdict[];
  readonly dkim: readonly (Claims & Verdict)[];
  readonly dmarc: DmarcVerdict | undefined;
  readonly arc: ArcVerdict | undefined;
  /** The trusted sealer that saw DMARC pass. */
  readonly vouched: string | undefined;
}

export interface InspectionNeeds {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly random: Random;
  /** This host's name. */
  readonly host: string;
  readonly settings: MailAuthSettings;
  /** Whether mail of this domain must be vouched for though it publishes nothing. */
  readonly mustPass: (domain: string) => boolean;
}

const mostAuthors = 10;

export interface Authors {
  /** Domains in From, of all its fields and addresses. */
  readonly domains: readonly string[];
  /** There are more than are looked at. */
  readonly more: boolean;
}

export function authorsOf(header: readonly Field[]): Authors {
  const domains = new Set<string>();
  for (const { name, raw } of header) {
    if (name !== 'from') continue;
    const text = Buffer.from(raw.slice(raw.indexOf(':') + 1), 'latin1').toString('utf8');
    for (const { host } of parseAddressList(text)) {
      const domain = host === null ? undefined : readDomain(host);
      if (domain !== undefined && !domain.startsWith('[')) domains.add(domain);
      if (domains.size > mostAuthors) return { domains: [...domains].slice(0, mostAuthors), more: true };
    }
  }
  return { domains: [...domains], more: false };
}

/** Where something stands in a domain that cannot, what a reader takes it for: mail programs pass over a NUL, and show no controls. */
function readDomain(host: string): string | undefined {
  return normalizeDomain(host.replace(/\.$/, '')) ?? normalizeDomain(host.replace(/[^\p{L}\p{M}\p{N}._-]/gu, '').replace(/^\.+|\.+$/g, ''));
}

export class Inspection {
  readonly #needs: InspectionNeeds;
  readonly #gate: HeaderGate;
  /** Undefined: this client's mail is not checked. */
  readonly #client: SpfClient | undefined;
  readonly #spf: Promise<void>;
  #known: { spf?: readonly SpfVerdict[]; dkim: Verdict[]; policies: Found[]; arc?: ArcVerdict } = { dkim: [], policies: [] };
  #signatures: MessageSignatures | undefined;
  #authors: Authors = { domains: [], more: false };
  #policies: readonly Promise<void>[] = [];

  constructor(needs: InspectionNeeds, client: SpfClient | undefined) {
    this.#needs = needs;
    this.#client = client;
    const { settings, host } = needs;
    const ids = [settings.authservId || host, host];
    this.#gate = new HeaderGate({
      ...(settings.removeForged ? { drop: (field: HeaderField) => pretends(field, ids) } : {}),
      ...(client ? { header: (fields) => this.#header(fields), body: (bytes) => this.#signatures?.update(bytes) } : {}),
    });
    this.#spf = client && settings.spf ? this.#askSpf(client) : Promise.resolve();
    // Waited for at the end; what fails before must not end the process.
    this.#spf.catch(() => {});
  }

  async #askSpf(client: SpfClient): Promise<void> {
    const { host, lookup } = this.#needs;
    const helo = client.sender === '' ? undefined : checkHelo(client, host, lookup);
    helo?.catch(() => {});
    // Known for itself: a slow name in HELO keeps nobody from being judged by the sender.
    this.#known.spf = [await checkSender(client, host, lookup)];
    if (helo) this.#known.spf = [...this.#known.spf, await helo];
  }

  #header(fields: readonly HeaderField[]): void {
    const { lookup, settings } = this.#needs;
    this.#authors = authorsOf(fieldsOf(fields));
    const { dkim, arc, signatures: most } = settings;
    if (dkim || arc) this.#signatures = new MessageSignatures(fields, { lookup, dkim, arc, most, authors: this.#authors.domains });
    if (settings.dmarc)
      this.#policies = this.#authors.domains.map(async (domain, n) => {
        this.#known.policies[n] = await findPolicy(domain, lookup);
      });
    for (const policy of this.#policies) policy.catch(() => {});
  }

  /** What of these octets, and of those held back, is to be kept. */
  push(bytes: Uint8Array): Uint8Array {
    return this.#gate.push(bytes);
  }

  /** The header is too long to be looked at. */
  get tooLong(): boolean {
    return this.#gate.tooLong;
  }

  /** How many fields that pretended to be ours were taken out. */
  get removed(): number {
    return this.#gate.dropped;
  }

  /** The last octets to be kept. */
  last(): Uint8Array {
    return this.#gate.end();
  }

  /** Once everything is in. Undefined: this client's mail is not checked. */
  async end(): Promise<Findings | undefined> {
    if (!this.#client) return undefined;
    const { clock, settings } = this.#needs;
    let cancel = (): void => {};
    const late = new Promise<'late'>((resolve) => {
      cancel = clock.after(settings.timeLimit * 1_000, () => resolve('late'));
    });
    const all = this.#all();
    all.catch(() => {});
    try {
      await Promise.race([all, late]);
    } finally {
      cancel();
    }
    return this.#findings();
  }

  async #all(): Promise<void> {
    const { settings, clock } = this.#needs;
    const rules = { minBits: settings.minKeyBits, partial: settings.partial, now: clock.now() };
    const signatures = this.#signatures;
    const given = (n: number, verdict: Verdict): void => {
      this.#known.dkim[n] = verdict;
    };
    const arc = async (): Promise<void> => {
      if (signatures && settings.arc) this.#known.arc = await signatures.arc(rules);
    };
    await Promise.all([this.#spf, signatures?.dkim(rules, given), arc(), ...this.#policies]);
  }

  /** By what is known now. */
  #dmarc(): DmarcVerdict {
    const { spf, dkim } = this.#results();
    // RFC 7489 §3.1.2: of the sender of the envelope, or of HELO where that is the null sender.
    const [sender] = spf;
    const those = (wanted: 'pass' | 'temperror') => ({
      spf: sender?.result === wanted ? sender.domain : undefined,
      dkim: dkim.filter(({ result }) => result === wanted).map(({ domain }) => domain),
    });
    const evidence = { passed: those('pass'), undecided: those('temperror') };
    if (this.#authors.more) return tooMany;
    return strictest(
      this.#authors.domains.map((domain, n) => {
        const found = this.#known.policies[n] ?? 'temporary';
        const policy = found === 'none' && this.#needs.mustPass(domain) ? required : found;
        return judgeDomain(domain, policy, evidence, this.#needs.random);
      }),
    );
  }

  #results(): Pick<Findings, 'spf' | 'dkim'> {
    const late: Verdict = { result: 'temperror', reason: 'the DNS did not answer in time' };
    const unknown: SpfVerdict = { ...checkedOf(this.#client as SpfClient), result: 'temperror' };
    const claims = this.#signatures?.claims ?? [];
    return {
      spf: this.#known.spf ?? (this.#needs.settings.spf ? [unknown] : []),
      dkim: claims.map(({ domain, selector, algorithm, start }, n) => ({
        domain,
        selector,
        algorithm,
        start,
        ...(this.#known.dkim[n] ?? late),
      })),
    };
  }

  #findings(): Findings {
    const { settings } = this.#needs;
    const lateArc: ArcVerdict = { result: 'temperror', sets: 0, sealers: [] };
    const arc = settings.arc ? (this.#known.arc ?? (this.#signatures ? lateArc : undefined)) : undefined;
    return {
      ...this.#results(),
      dmarc: settings.dmarc ? this.#dmarc() : undefined,
      arc,
      vouched: arc && vouchedBy(this.#signatures?.chain, arc, settings.trustedSealers),
    };
  }
}
