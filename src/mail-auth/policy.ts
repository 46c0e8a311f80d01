/**
 * What becomes of a message by what was found out about it, and what its header says of that.
 *
 * Promise: a message is refused, put off or set aside only by a rule that an administrator can find: the decision names it.
 * Spec: RFC 7489 §6.3, §6.6, §10.3; RFC 7208 §8.4; RFC 7372 (codes); RFC 8601 §2.2
 */

import type { Findings } from './inspection.ts';
import { type MethodResult, propertyValue, resultsField, tagField } from './results.ts';
import type { MailAuthSettings, Treatment } from './settings.ts';

/** What an entry below cn=mailauth,cn=mta says of a domain and those below it. */
export interface DomainRule {
  readonly dn: string;
  readonly domain: string;
  readonly dmarcFail: Treatment | 'published' | undefined;
  readonly spfFail: Treatment | undefined;
  /** Mail must be vouched for, though the domain publishes no policy. */
  readonly mustPass: boolean;
}

export interface Decision {
  readonly treatment: Treatment | 'defer';
  /** Of the message as a whole, for whoever handles it later. */
  readonly standing: 'pass' | 'fail' | 'none';
  /** For people; of anything but `none`. */
  readonly reason: string;
  /** Attribute that decided. */
  readonly rule: string;
  /** Entry in which it stands; undefined: the settings'. */
  readonly entry?: string;
  /** Enhanced status (RFC 7372), without its class. */
  readonly detail: string;
}

export type RuleOf = (domain: string) => DomainRule | undefined;

export function decide(found: Findings, settings: MailAuthSettings, ruleOf: RuleOf): Decision {
  const standing = standingOf(found);
  const none = { standing, reason: '', rule: '', detail: '' } as const;
  const undecided = temporary(found, settings, standing);
  if (undecided !== undefined) return { ...none, treatment: 'defer', reason: undecided, rule: 'mtMailAuthTemporary', detail: '4.3' };
  const dmarc = dmarcDecision(found, settings, ruleOf);
  if (dmarc) return { ...none, ...dmarc };
  const spf = spfDecision(found, settings, ruleOf);
  return spf ? { ...none, ...spf } : { ...none, treatment: 'none' };
}

type Part = Pick<Decision, 'treatment' | 'reason' | 'rule' | 'detail' | 'entry'>;

function dmarcDecision(found: Findings, settings: MailAuthSettings, ruleOf: RuleOf): Part | undefined {
  const { dmarc, vouched } = found;
  if (dmarc?.result !== 'fail' || vouched !== undefined) return undefined;
  const rule = ruleOf(dmarc.domain);
  const chosen = rule?.dmarcFail ?? settings.dmarcFail;
  const treatment = chosen === 'published' ? dmarc.policy : chosen;
  if (treatment === 'none') return undefined;
  const asked = dmarc.published === undefined ? '' : ` (policy ${dmarc.published})`;
  return {
    treatment,
    reason: dmarc.domain === '' && dmarc.reason ? dmarc.reason : `neither SPF nor DKIM vouches for ${dmarc.domain} in From${asked}`,
    rule: 'mtMailAuthDmarcFail',
    detail: '7.26',
    ...(rule?.dmarcFail === undefined ? {} : { entry: rule.dn }),
  };
}

function spfDecision({ spf, dmarc, vouched }: Findings, settings: MailAuthSettings, ruleOf: RuleOf): Part | undefined {
  const [sender] = spf;
  if (sender?.result !== 'fail' || dmarc?.result === 'pass' || vouched !== undefined) return undefined;
  const rule = ruleOf(sender.domain);
  const treatment = rule?.spfFail ?? settings.spfFail;
  if (treatment === 'none') return undefined;
  return {
    treatment,
    reason: `${sender.domain} does not allow this host to send its mail (SPF)`,
    rule: 'mtMailAuthSpfFail',
    detail: '7.23',
    ...(rule?.spfFail === undefined ? {} : { entry: rule.dn }),
  };
}

/** Why the message should wait; only where the answer could decide about it. */
function temporary({ spf, dmarc, vouched }: Findings, settings: MailAuthSettings, standing: Decision['standing']): string | undefined {
  if (settings.temporary !== 'defer' || vouched !== undefined) return undefined;
  // That somebody else's domain passes SPF or DKIM says nothing about the one in From.
  if (dmarc?.result === 'temperror' && dmarc.by === undefined)
    return `whether ${dmarc.domain || 'the sender'} vouches for this message cannot be found out at present`;
  if (standing !== 'pass' && spf[0]?.result === 'temperror' && settings.spfFail !== 'none')
    return `whether ${spf[0].domain || 'the sender'} allows this host cannot be found out at present`;
  return undefined;
}

function standingOf({ spf, dkim, dmarc, vouched }: Findings): Decision['standing'] {
  if (dmarc?.result === 'pass' || vouched !== undefined) return 'pass';
  const [sender] = spf;
  if (dmarc?.result === 'fail' || sender?.result === 'fail') return 'fail';
  return sender?.result === 'pass' || dkim.some(({ result }) => result === 'pass') ? 'pass' : 'none';
}

/** The fields to put in front: results, and the tag where the message is tagged or set aside. */
export function headerOf(found: Findings, decision: Decision, settings: MailAuthSettings, host: string): string {
  const tagged = decision.treatment === 'tag' || decision.treatment === 'quarantine';
  // One word for filters, then the reason for people.
  const tag = tagged ? `${tagField}: ${decision.treatment};\r\n reason=${propertyValue(decision.reason)}\r\n` : '';
  return resultsField(settings.authservId || host, methodResults(found, settings)) + tag;
}

function methodResults(found: Findings, settings: MailAuthSettings): MethodResult[] {
  const { spf, dkim, dmarc, arc, vouched } = found;
  const spfResults = spf.map(
    ({ result, identity, of }): MethodResult => ({ method: 'spf', result, properties: [[`smtp.${of}`, identity]] }),
  );
  const dkimResults = dkim.map(
    ({ result, reason, domain, selector, algorithm, start }): MethodResult => ({
      method: 'dkim',
      result,
      reason,
      properties: [
        ['header.d', domain],
        ['header.s', selector],
        ['header.a', /^[a-z0-9-]{1,40}$/.test(algorithm) ? algorithm : undefined],
        ['header.b', /^[A-Za-z0-9+/=]+$/.test(start) ? start : undefined],
      ],
    }),
  );
  if (settings.dkim && dkim.length === 0) dkimResults.push({ method: 'dkim', result: 'none' });
  const dmarcResults: MethodResult[] = dmarc
    ? [
        {
          method: 'dmarc',
          result: dmarc.result,
          comment: dmarc.published && `p=${dmarc.published}`,
          reason: vouched === undefined ? dmarc.reason : `${vouched} vouches for it by ARC`,
          properties: [['header.from', dmarc.domain]],
        },
      ]
    : [];
  const arcResults: MethodResult[] = arc
    ? [{ method: 'arc', result: arc.result, reason: arc.reason, properties: [['arc.chain', arc.sealers.join(':')]] }]
    : [];
  return [...spfResults, ...dkimResults, ...dmarcResults, ...arcResults];
}

/** In a word each, for the log. */
export function summary({ spf, dkim, dmarc, arc, vouched }: Findings): string {
  const words = [
    ...spf.slice(0, 1).map(({ result }) => `spf=${result}`),
    ...(dkim.length > 0 ? [`dkim=${[...new Set(dkim.map(({ result }) => result))].join('/')}`] : []),
    ...(dmarc ? [`dmarc=${dmarc.result}`] : []),
    ...(arc && arc.result !== 'none' ? [`arc=${arc.result}`] : []),
    ...(vouched === undefined ? [] : [`vouched-by=${vouched}`]),
  ];
  return words.join(' ');
}
