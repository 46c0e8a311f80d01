/** `mailtree tls DOMAIN`, `mailtree tls-reports`: encryption of outgoing mail, and what to publish for incoming. Source: checklist SMTPC-12 */

import type { Command } from 'commander';
import type { Published, TlsQuestions } from '../../main/index.ts';
import { askControl } from '../control-client.ts';
import { json, type Run, say } from '../program.ts';

type About = Awaited<ReturnType<TlsQuestions['about']>>;
type Host = About['hosts'][number];
type Counted = Awaited<ReturnType<TlsQuestions['counted']>>;
type Sent = Awaited<ReturnType<TlsQuestions['report']>>;

interface TlsOptions {
  readonly connect?: boolean;
  readonly publish?: boolean;
  readonly mode?: string;
  readonly maxAge?: string;
  readonly json?: boolean;
}

export function addTlsCommands(program: Command, run: Run): void {
  program
    .command('tls <domain>')
    .description('how mail to the domain is encrypted and why: peer, DANE, MTA-STS, looked up now')
    .option('--connect', 'greets each host as for mail, and says how the session was encrypted')
    .option('--publish', 'for a domain of this server: the records and the policy to publish, so that others encrypt mail to it')
    .option('--mode <mode>', 'with --publish: enforce, testing or none (testing)')
    .option('--max-age <seconds>', 'with --publish: how long others remember the policy (604800)')
    .option('--json', 'as JSON')
    .action(
      run(async (config, domain: string, { connect, publish, mode, maxAge, json: asJson }: TlsOptions) => {
        if (publish) {
          const wanted = await askControl<Published>(config, { path: '/tls/publish', query: { domain, mode, maxAge } });
          if (asJson) json(wanted);
          else printPublished(wanted);
          return;
        }
        const about = await askControl<About>(config, { path: '/tls', query: { domain, connect: connect ? '1' : undefined } });
        if (asJson) json(about);
        else print(about);
      }),
    );
  program
    .command('tls-reports')
    .description('what was counted for reports about encryption (mtSmtpcTlsReports) and not reported yet')
    .option('--send', 'reports it now, the day that is not over included')
    .option('--json', 'as JSON')
    .action(
      run(async (config, { send, json: asJson }: { send?: boolean; json?: boolean }) => {
        const none = async (text: string): Promise<void> => say((await askControl<boolean>(config, { path: '/tls/counts' })) ? text : off);
        if (send) {
          const sent = await askControl<Sent>(config, { method: 'POST', path: '/tls/reports' });
          if (asJson) json(sent);
          else if (sent.length === 0) await none('no domain that mail went to wants a report');
          else for (const one of sent) say(`${one.day} ${one.domain}: to ${one.places.join(', ')}`);
          return;
        }
        const counted = await askControl<Counted>(config, { path: '/tls/reports' });
        if (asJson) json(counted);
        else if (counted.length === 0) await none('nothing was counted yet for domains that want reports');
        else printCounted(counted);
      }),
    );
}

const off = 'reports about encryption are off: nothing is counted (mtSmtpcTlsReports: TRUE in cn=smtpc,cn=mailtree switches them on)';

function print(about: About): void {
  const { domain, peer, peerTls, least, dane, sts, stsFailure, reports, relay, table, hosts, unreachable } = about;
  say(`mail to ${domain}`);
  say(`  peer ${peer}: ${peerTls === 'smtpc' ? 'as cn=smtpc says' : peerTls}`);
  say(`  at least: ${words(least.tls, least.verify ? 'pkix' : 'none')}, by ${least.by}`);
  say(`  DANE: ${dane.possible ? 'where hosts have records' : 'no'}, ${dane.why}`);
  if (sts) {
    const until = new Date(sts.fetchedAt + sts.maxAge * 1_000).toISOString();
    say(`  MTA-STS: policy ${sts.id}, ${sts.mode}, until ${until} unless it is renewed; hosts ${sts.mx.join(', ') || 'none'}`);
  } else if (!stsFailure) say('  MTA-STS: no policy');
  if (stsFailure) say(`  MTA-STS: ${stsFailure.text} (${stsFailure.type})`);
  say(`  reports: ${reports.join(', ') || 'none are wanted'}`);
  if (table) say('  goes where the host table says (mtSmtpcHostTable), not the DNS: neither DANE nor MTA-STS is about that host');
  if (relay !== undefined) say(`  goes to the mail relay host ${relay}`);
  if (unreachable !== undefined) say(`  cannot be reached: ${unreachable}`);
  for (const host of hosts) printHost(host);
}

function printHost({ host, port, usable, tls, verify, names, session, policy, why }: Host): void {
  say(`\n${host}:${port}`);
  say(usable && tls !== undefined ? `  ${words(tls, verify ?? 'none')}\n    by ${why}` : `  gets no mail as things are: ${why}`);
  if (names && names.length > 0) say(`    certificate for ${names.join(' or ')}${verify === 'dane' ? ', where an issuer is named' : ''}`);
  for (const line of policy) say(`    ${line}`);
  if (session !== undefined) say(`  now: ${sessionText(session)}`);
}

function sessionText(session: NonNullable<Host['session']>): string {
  if (session === 'none') return 'a session that is not encrypted';
  if ('failed' in session) return `no session: ${session.failed}`;
  const { protocol, cipher, verified, flaw } = session;
  return `${protocol} ${cipher}, verified: ${verified}${flaw ? ` (${flaw.text})` : ''}`;
}

const proofs: Readonly<Record<NonNullable<Host['verify']>, string>> = {
  dane: 'with a certificate that the TLSA records name',
  sts: 'with a certificate of a known authority, as MTA-STS wants',
  pkix: 'with a certificate of a known authority',
  none: 'with any certificate',
};

function words(tls: NonNullable<Host['tls']>, verify: NonNullable<Host['verify']>): string {
  if (tls === 'off') return 'not encrypted';
  return `${tls === 'required' ? 'always encrypted' : 'encrypted where that is offered'}, ${proofs[verify]}`;
}

function printPublished({ records, policyUrl, policy, certificate }: Published): void {
  say('; MTA-STS: in the zone, and the policy at its address, over HTTPS with a certificate for that name');
  say(records.sts);
  say(`; ${policyUrl}`);
  for (const line of policy.trimEnd().split('\r\n')) say(`;   ${line}`);
  say('; reports of others about encryption');
  say(records.reports);
  say('; DANE: in a zone that is signed (DNSSEC); to be changed before the key of the certificate is');
  say(records.tlsa);
  say(`; the certificate is for ${certificate.names}, until ${certificate.validTo}`);
}

function printCounted(counted: Counted): void {
  for (const { day, domain, policies } of counted)
    for (const { type, successful, failed, failures } of policies) {
      say(`${day} ${domain} ${type}: ${successful} as wanted, ${failed} failed`);
      for (const one of failures) say(`    ${one.sessions} ${one.type} ${one.mxHost ?? ''}: ${one.text}`);
    }
}
