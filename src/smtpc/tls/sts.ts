/**
 * The MTA-STS policies of other domains: found, fetched, remembered.
 *
 * Promise: a policy holds as long as it said, whatever becomes of its record or its host, and across restarts; a new id is a reason to
 * fetch, a failed fetch none to forget. What waits for one domain's policy fetches it once; after a failure that domain is left alone for
 * five minutes. Policies in use are fetched anew every day, so that they do not run out unseen. There is a bound on how many are kept.
 * Spec: RFC 8461 §3.1, §3.3, §5.1, §10.2
 */

import { type Cancel, type Clock, type Live, type Log, Lru, type Resolver, severalAtOnce } from '../../base/index.ts';
import { below, fromSegment, type KeyValue, segment } from '../../storage/index.ts';
import type { SmtpcSettings } from '../settings/index.ts';
import { HttpsFailure, https } from './https.ts';
import { parseStsPolicy, type StsPolicy, stsId } from './sts-policy.ts';
import type { Trust } from './trust.ts';

export interface StsNeeds {
  readonly resolver: Resolver;
  readonly keyValue: Pick<KeyValue, 'transact' | 'get' | 'scan'>;
  readonly settings: Live<Pick<SmtpcSettings, 'sts' | 'stsPort'>>;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly log: Log;
}

/** RFC 8460 §4.3.2.2 */
export interface StsFailure {
  readonly type: 'sts-policy-fetch-error' | 'sts-policy-invalid' | 'sts-webpki-invalid';
  readonly text: string;
}

export interface KeptPolicy extends StsPolicy {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
  readonly usedAt: number;
}

export interface StsFound {
  /** What holds now. */
  readonly policy?: KeptPolicy;
  /** Why there is none, or none newer. */
  readonly failure?: StsFailure;
}

const keys = 'smtpc/sts/';
const mostKept = 10_000;
const inMemory = 2_000;
const mostOctets = 65_536;
const fetchMs = 60_000;
const pauseMs = 300_000;
/** For the record of a domain. */
const patienceMs = 5_000;
const hour = 3_600_000;
const day = 24 * hour;
/** A policy nobody asked for in this time is not fetched any more by itself. */
const forgottenAfter = 30 * day;
const fetchesAtOnce = 4;

export class Sts {
  readonly #needs: StsNeeds;
  readonly #memory = new Lru<string, KeptPolicy>(inMemory);
  readonly #running = new Map<string, Promise<StsFound>>();
  /** Domains whose record could not be had, and until when they are not asked again. */
  readonly #silent = new Lru<string, number>(inMemory);
  readonly #failed = new Lru<string, { readonly until: number; readonly id: string; readonly failure: StsFailure }>(inMemory);
  #timer: Cancel | undefined;
  #abort = new AbortController();

  constructor(needs: StsNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#abort = new AbortController();
    this.#failed.clear();
    this.#silent.clear();
    this.#again();
  }

  stop(): void {
    this.#timer?.();
    this.#abort.abort();
  }

  #again(): void {
    this.#timer = this.#needs.clock.after(hour, () => {
      this.refresh()
        .catch((thrown: unknown) => this.#needs.log.error('policies of MTA-STS could not be looked after', thrown))
        .finally(() => {
          if (!this.#abort.signal.aborted) this.#again();
        });
    });
  }

  /** What holds for the domain now. Never fails. */
  async policyOf(domain: string): Promise<StsFound> {
    const name = domain.toLowerCase();
    const running = this.#running.get(name);
    if (running) return await running;
    const work = this.#find(name)
      .catch((thrown: unknown): StsFound => {
        this.#needs.log.error(`the MTA-STS policy of ${name} could not be looked up`, thrown);
        return {};
      })
      .finally(() => this.#running.delete(name));
    this.#running.set(name, work);
    return await work;
  }

  async #find(domain: string): Promise<StsFound> {
    const { clock } = this.#needs;
    const [id, kept] = await Promise.all([this.#id(domain), this.#kept(domain)]);
    // RFC 8461 §5.1: without a record, or with the id that is known, what is remembered holds.
    if (id === undefined || kept?.id === id) return kept ? { policy: await this.#used(domain, kept) } : {};
    const before = this.#failed.get(domain);
    if (before && before.id === id && before.until > clock.now()) return { ...(kept ? { policy: kept } : {}), failure: before.failure };
    const fetched = await this.#fetch(domain, id);
    if (!('type' in fetched)) {
      await this.#keep(domain, fetched);
      return { policy: fetched };
    }
    this.#failed.set(domain, { until: clock.now() + pauseMs, id, failure: fetched });
    this.#needs.log.warning(`the MTA-STS policy of ${domain} cannot be had: ${fetched.text}${kept ? '; the last one holds' : ''}`);
    return { ...(kept ? { policy: kept } : {}), failure: fetched };
  }

  /**
   * Of the record as it is now. A name server that does not answer means what no record does (RFC 8461 §5.1), and mail need not wait for
   * all its retries, nor all mail for one.
   */
  async #id(domain: string): Promise<string | undefined> {
    const { resolver, clock } = this.#needs;
    if ((this.#silent.get(domain) ?? 0) > clock.now()) return undefined;
    let cancel: Cancel = () => {};
    const late = new Promise<undefined>((resolve) => {
      cancel = clock.after(patienceMs, () => resolve(undefined));
    });
    const record = await Promise.race([resolver.txt(`_mta-sts.${domain}`), late]).finally(() => cancel());
    if (!record || record.outcome === 'temporary') {
      this.#silent.set(domain, clock.now() + pauseMs);
      return undefined;
    }
    return record.outcome === 'found' ? stsId(record.records) : undefined;
  }

  async #fetch(domain: string, id: string): Promise<KeptPolicy | StsFailure> {
    const { settings, clock, resolver, trust } = this.#needs;
    const host = `mta-sts.${domain}`;
    const path = '/.well-known/mta-sts.txt';
    try {
      const wish = { host, port: settings.value.stsPort, path, most: mostOctets, timeoutMs: fetchMs };
      const context = () => trust('without own certificate');
      const { status, type, body } = await https(wish, { resolver, clock, context, signal: this.#abort.signal });
      if (status !== 200) return { type: 'sts-policy-fetch-error', text: `${host} answered ${status}` };
      if (!/^text\/plain[ \t]*(;|$)/i.test(type)) return { type: 'sts-policy-invalid', text: `${host}: the policy is not text/plain` };
      const policy = parseStsPolicy(body.toString('utf8'));
      if ('wrong' in policy) return { type: 'sts-policy-invalid', text: `${host}: ${policy.wrong}` };
      const now = clock.now();
      return { ...policy, id, fetchedAt: now, usedAt: now };
    } catch (thrown) {
      const kind = thrown instanceof HttpsFailure && thrown.kind === 'certificate' ? 'sts-webpki-invalid' : 'sts-policy-fetch-error';
      return { type: kind, text: (thrown as Error).message };
    }
  }

  /** What is remembered and has not run out. */
  async #kept(domain: string): Promise<KeptPolicy | undefined> {
    let kept = this.#memory.get(domain);
    if (!kept) {
      const bytes = await this.#needs.keyValue.get(keys + segment(domain));
      kept = bytes && readKept(bytes);
      if (kept) this.#memory.set(domain, kept);
    }
    return kept && this.#holds(kept) ? kept : undefined;
  }

  #holds({ fetchedAt, maxAge }: KeptPolicy): boolean {
    const age = this.#needs.clock.now() - fetchedAt;
    // A clock that was set back makes nothing older.
    return age < maxAge * 1_000;
  }

  /** Notes once a day that somebody asked. */
  async #used(domain: string, kept: KeptPolicy): Promise<KeptPolicy> {
    const now = this.#needs.clock.now();
    if (now - kept.usedAt < day) return kept;
    const used = { ...kept, usedAt: now };
    await this.#write(domain, used);
    return used;
  }

  async #keep(domain: string, policy: KeptPolicy): Promise<void> {
    this.#failed.delete(domain);
    await this.#write(domain, policy);
  }

  /** It holds, whether it can be written down or not: what fills our disk must not make us do without it. */
  async #write(domain: string, policy: KeptPolicy): Promise<void> {
    this.#memory.set(domain, policy);
    const record = Buffer.from(JSON.stringify(policy));
    await this.#needs.keyValue
      .transact(async () => ({ puts: [[keys + segment(domain), record]], result: undefined }), 'soon')
      .catch((thrown: unknown) => this.#needs.log.error(`the MTA-STS policy of ${domain} could not be kept`, thrown));
  }

  /** Fetches what is in use and a day old, and forgets what has run out or is too much. */
  async refresh(): Promise<void> {
    const { clock, keyValue, settings } = this.#needs;
    const now = clock.now();
    const all: { readonly domain: string; readonly usedAt: number }[] = [];
    const gone: string[] = [];
    const due: { readonly domain: string; readonly kept: KeptPolicy }[] = [];
    for await (const [key, bytes] of keyValue.scan(below(keys))) {
      const kept = readKept(bytes);
      const domain = fromSegment(key.slice(keys.length));
      if (!kept || !this.#holds(kept)) gone.push(domain);
      else {
        all.push({ domain, usedAt: kept.usedAt });
        const old = now - kept.fetchedAt >= Math.min(day, kept.maxAge * 500);
        if (old && now - kept.usedAt < forgottenAfter) due.push({ domain, kept });
      }
    }
    all.sort((a, b) => b.usedAt - a.usedAt);
    gone.push(...all.slice(mostKept).map(({ domain }) => domain));
    for (const domain of gone) this.#memory.delete(domain);
    if (gone.length > 0)
      await keyValue.transact(async () => ({ deletes: gone.map((domain) => keys + segment(domain)), result: undefined }), 'soon');
    if (settings.value.sts) await severalAtOnce(due, fetchesAtOnce, ({ domain, kept }) => this.#renew(domain, kept));
  }

  async #renew(domain: string, kept: KeptPolicy): Promise<void> {
    if (this.#abort.signal.aborted) return;
    const record = await this.#needs.resolver.txt(`_mta-sts.${domain}`);
    const id = record.outcome === 'found' ? stsId(record.records) : undefined;
    // Without a record there may be a new policy all the same: §5.1 lets the old one run out.
    const fetched = id === undefined ? undefined : await this.#fetch(domain, id);
    if (!fetched) return;
    if ('type' in fetched) this.#needs.log.info(`the MTA-STS policy of ${domain} could not be fetched anew: ${fetched.text}`);
    else await this.#keep(domain, { ...fetched, usedAt: kept.usedAt });
  }
}

/** Undefined for what cannot be read: it is fetched again. */
function readKept(bytes: Uint8Array): KeptPolicy | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as KeptPolicy;
  } catch {
    return undefined;
  }
}
