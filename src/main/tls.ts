/** What the command line asks about encryption, put together from SMTPC and from this host's own certificate. */

import { Fault, type Live, type Resolver } from '../base/index.ts';
import type { MtaPolicy } from '../dit/index.ts';
import { normalizeDomain } from '../mail/index.ts';
import { type Published, published, type SmtpcComponent } from '../smtpc/index.ts';
import type { Certificate } from './certificate.ts';

export type TlsDesk = SmtpcComponent['tls'];

export interface TlsQuestions extends Pick<TlsDesk, 'about' | 'counted' | 'report'> {
  /** Whether sessions are counted for reports at all. */
  counts(): boolean;
  /** What to publish for a domain of ours; Fault `malformed` names what is wrong with the wish. */
  publish(wish: { readonly domain: string; readonly mode?: string | undefined; readonly maxAge?: string | undefined }): Promise<Published>;
}

export interface TlsNeeds {
  readonly desk: TlsDesk;
  readonly resolver: Pick<Resolver, 'mx'>;
  readonly mta: Live<MtaPolicy>;
  readonly certificate: Pick<Certificate, 'context'>;
}

/** A week: long enough to be worth having, short enough to get rid of. */
const usualAge = 604_800;

export function tlsQuestions({ desk, resolver, mta, certificate }: TlsNeeds): TlsQuestions {
  return {
    about: (domain, how) => desk.about(domain, how),
    counts: () => desk.counts,
    counted: () => desk.counted(),
    report: () => desk.report(),
    async publish({ domain: given, mode = 'testing', maxAge = String(usualAge) }) {
      const domain = normalizeDomain(given.replace(/\.$/, ''));
      if (domain === undefined) throw new Fault('malformed', `${given} is not a domain`);
      if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none')
        throw new Fault('malformed', `the mode of a policy is enforce, testing or none, not ${mode}`);
      const age = /^\d{1,8}$/.test(maxAge) ? Number(maxAge) : Number.NaN;
      if (!(age >= 0 && age <= 31_557_600)) throw new Fault('malformed', `max_age is a number of seconds up to 31557600, not ${maxAge}`);
      const { host, postmaster } = mta.value;
      const found = await resolver.mx(domain);
      const mx = found.outcome === 'found' ? found.records.map((one) => one.exchange).filter((one) => one !== '') : [];
      const cert = String(certificate.context.value?.cert ?? '');
      const names = mx.length > 0 ? [...new Set(mx)] : [host];
      return published({ domain, mx: names, host, port: 25, mode, maxAge: age, certificate: cert, reportsTo: postmaster });
    },
  };
}
