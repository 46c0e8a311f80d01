/**
 * Mail authentication as the SMTP door uses it: an examination for each message, and a conclusion at its end.
 *
 * Promise: settings hold as they are when the message begins; with everything switched off nothing is looked at.
 */

import { type Clock, counter, ipSet, type Live, type Random } from '../base/index.ts';
import { type Findings, Inspection } from './inspection.ts';
import { type Decision, decide, headerOf, type RuleOf, summary } from './policy.ts';
import type { Lookup } from './resolver.ts';
import type { MailAuthSettings } from './settings.ts';
import type { SpfClient } from './spf.ts';

export interface MailAuthenticationNeeds {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly random: Random;
  readonly host: () => string;
  readonly settings: Live<MailAuthSettings>;
  /** What the directory says of a domain, or of one above it. */
  readonly ruleOf: RuleOf;
}

export interface Conclusion {
  /** Fields to put in front. */
  readonly header: string;
  /** In a few words, for the log; empty where nothing was checked. */
  readonly summary: string;
  /** Undefined: this message was not checked. */
  readonly decision: Decision | undefined;
}

/** A message on its way in. */
export interface Examination {
  /** What of these octets, and of those held back before, is to be kept. */
  push(bytes: Uint8Array): Uint8Array;
  /** The last octets to be kept; after that, `end`. */
  last(): Uint8Array;
  /** The header is too long to be looked at. */
  readonly tooLong: boolean;
  end(): Promise<Conclusion>;
}

export interface MailAuthentication {
  /** `outside`: not handed in by a user or by a host that may relay. Undefined: there is nothing to do. */
  begin(client: SpfClient, outside: boolean): Examination | undefined;
}

const results = counter('mailtree_mail_authentication_total', 'Messages from outside by method and result.', ['method', 'result']);
const treatments = counter('mailtree_mail_authentication_treatment_total', 'Messages from outside by what became of them.', ['treatment']);

export function createMailAuthentication(needs: MailAuthenticationNeeds): MailAuthentication {
  const mustPass = (domain: string): boolean => needs.ruleOf(domain)?.mustPass ?? false;
  return {
    begin(client, outside) {
      const settings = needs.settings.value;
      const { verify, spf, dkim, dmarc, arc, removeForged, exempt } = settings;
      const checked = outside && verify && (spf || dkim || dmarc || arc) && ipSet(exempt).match(client.address) === undefined;
      if (!checked && !removeForged) return undefined;
      const { lookup, clock, random } = needs;
      const host = needs.host();
      const inspection = new Inspection({ lookup, clock, random, host, settings, mustPass }, checked ? client : undefined);
      return {
        push: (bytes) => inspection.push(bytes),
        last: () => inspection.last(),
        get tooLong() {
          return inspection.tooLong;
        },
        async end() {
          const found = await inspection.end();
          if (!found) return { header: '', summary: '', decision: undefined };
          const decision = decide(found, settings, needs.ruleOf);
          note(found, decision);
          return { header: headerOf(found, decision, settings, host), summary: summary(found), decision };
        },
      };
    },
  };
}

function note({ spf, dkim, dmarc, arc }: Findings, { treatment }: Decision): void {
  if (spf[0]) results.count('spf', spf[0].result);
  for (const { result } of dkim) results.count('dkim', result);
  if (dmarc) results.count('dmarc', dmarc.result);
  if (arc) results.count('arc', arc.result);
  treatments.count(treatment);
}
