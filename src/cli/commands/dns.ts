/**
 * `mailtree dns DOMAIN`: the DNS records that a mail domain needs, as lines of a zone file, each with what the DNS has now.
 *
 * Spec: RFC 5321 §5.1 (MX), RFC 7208 (SPF), RFC 6376 (DKIM), RFC 7489 (DMARC), RFC 8461 (MTA-STS), RFC 8460 (TLS reports), RFC 7672 (TLSA)
 */

import type { Command } from 'commander';
import type { DnsAnswer, Resolver, TlsaRecord } from '../../base/index.ts';
import { type DkimKey, dkimNameText, serverSettings } from '../../dit/index.ts';
import { parseDn } from '../../ldap-wire/index.ts';
import { findPolicy, organizationalDomain } from '../../mail-auth/index.ts';
import type { Config, Published } from '../../main/index.ts';
import { asAdministrator } from '../administrator.ts';
import { askControl } from '../control-client.ts';
import { keysOf, recordProblem, resolverOf, zoneLine } from '../dkim-keys.ts';
import { domainGiven } from '../domain.ts';
import { json, type Run, say } from '../program.ts';

interface Advice {
  readonly name: string;
  readonly record: string;
  /** What the DNS has, in words. */
  readonly now: string;
  readonly ok: boolean;
  readonly remark: string;
}

export function addDnsCommand(program: Command, run: Run): void {
  program
    .command('dns <domain>')
    .description('the DNS records a mail domain needs, and whether they are there')
    .option('--json', 'as JSON')
    .action(run(dns));
}

async function dns(config: Config, text: string, options: { json?: boolean }): Promise<void> {
  const domain = domainGiven(text);
  const advice = await asAdministrator(config, async (client) => {
    const [server] = await client.search({
      base: parseDn(`${serverSettings.entry},${config.systemBase}`),
      scope: 'base',
      filter: { type: 'present', attribute: 'objectClass' },
    });
    const host = server?.text(serverSettings.settings.host.attribute) ?? config.host;
    const keys = (await keysOf(client, config, domain)).filter(({ state }) => state !== 'retired');
    return adviceFor({ domain, host, keys, wanted: await wantedOf(config, domain) }, await resolverOf(client, config));
  });
  if (options.json) return json(advice);
  say(`; Records for ${domain}. Lines that begin with ; are remarks.`);
  for (const { record, now, ok, remark } of advice) say(`\n; ${remark}\n; ${ok ? 'in the DNS' : now}\n${record}`);
}

/** What `tls --publish` prints: the server knows its key, and the policy's id. */
const wantedOf = (config: Config, domain: string): Promise<Published> => askControl(config, { path: '/tls/publish', query: { domain } });

interface About {
  readonly domain: string;
  readonly host: string;
  readonly keys: readonly DkimKey[];
  readonly wanted: Published;
}

async function adviceFor({ domain, host, keys, wanted }: About, resolver: Resolver): Promise<Advice[]> {
  return Promise.all([
    mxAdvice(domain, host, resolver),
    addressAdvice(host, resolver),
    spfAdvice(domain, resolver),
    ...(keys.length > 0 ? keys.map((key) => keyAdvice(key, resolver)) : [noKey(domain)]),
    dmarcAdvice(domain, resolver),
    textAdvice(`_smtp._tls.${domain}`, wanted.records.reports, 'v=TLSRPTv1', 'Where others report trouble with TLS (optional).', resolver),
    textAdvice(
      `_mta-sts.${domain}`,
      wanted.records.sts,
      'v=STSv1',
      `MTA-STS (optional): needs the policy at ${wanted.policyUrl}, which mailtree tls ${domain} --publish prints; the id goes with its text.`,
      resolver,
    ),
    tlsaAdvice(wanted.records.tlsa, resolver),
  ]);
}

const seen = <T>(answer: DnsAnswer<T>, show: (record: T) => string): string =>
  answer.outcome === 'found'
    ? `the DNS has: ${answer.records.map(show).join(' | ')}`
    : answer.outcome === 'temporary'
      ? `the DNS does not answer: ${answer.reason}`
      : 'not in the DNS';

async function mxAdvice(domain: string, host: string, resolver: Resolver): Promise<Advice> {
  const answer = await resolver.mx(domain);
  const ok = answer.outcome === 'found' && answer.records.some(({ exchange }) => exchange === host.toLowerCase());
  const now = seen(answer, ({ preference, exchange }) => `${preference} ${exchange}`);
  return { name: domain, record: `${domain}. IN MX 10 ${host}.`, now, ok, remark: 'Which host takes the mail of the domain.' };
}

async function addressAdvice(host: string, resolver: Resolver): Promise<Advice> {
  const answer = await resolver.addresses(host);
  const remark = `The address of ${host}; the address must have this name, too (PTR), or other hosts refuse its mail.`;
  return {
    name: host,
    record: `; ${host}. IN A <address of this host>`,
    now: seen(answer, String),
    ok: answer.outcome === 'found',
    remark,
  };
}

async function spfAdvice(domain: string, resolver: Resolver): Promise<Advice> {
  const answer = await resolver.txt(domain);
  const records = answer.outcome === 'found' ? answer.records.filter((text) => /^v=spf1(?: |$)/i.test(text)) : [];
  const now =
    records.length > 1
      ? `the DNS has ${records.length} SPF records, and must have one`
      : records.length === 1
        ? `the DNS has: ${records[0]}`
        : 'not in the DNS';
  return {
    name: domain,
    record: `${domain}. IN TXT "v=spf1 mx -all"`,
    now: answer.outcome === 'temporary' ? seen(answer, String) : now,
    ok: records.length === 1,
    remark: 'Which hosts send mail of the domain: those that take it (mx), and no other (-all). Add those that send it besides.',
  };
}

async function keyAdvice(key: DkimKey, resolver: Resolver): Promise<Advice> {
  const problem = await recordProblem(key, resolver);
  const remark = `The key that mail is signed with (${key.state}).`;
  return { name: dkimNameText(key), record: zoneLine(key), now: problem ?? '', ok: problem === undefined, remark };
}

async function noKey(domain: string): Promise<Advice> {
  const remark = `There is no key yet: mailtree dkim create ${domain}`;
  return { name: `_domainkey.${domain}`, record: `; <selector>._domainkey.${domain}. IN TXT …`, now: 'not in the DNS', ok: false, remark };
}

async function dmarcAdvice(domain: string, resolver: Resolver): Promise<Advice> {
  const found = await findPolicy(domain, resolver);
  const now =
    found === 'temporary'
      ? 'the DNS does not answer'
      : found === 'none'
        ? 'not in the DNS'
        : `the DNS has: p=${found.record.policy}${found.inherited ? ` (of ${organizationalDomain(domain)})` : ''}`;
  return {
    name: `_dmarc.${domain}`,
    record: `_dmarc.${domain}. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@${domain}"`,
    now,
    ok: typeof found === 'object',
    remark:
      'What others do with mail that nobody vouches for: none to begin with, quarantine and reject once the reports show that all is signed.',
  };
}

async function textAdvice(name: string, line: string, begin: string, remark: string, resolver: Resolver): Promise<Advice> {
  const answer = await resolver.txt(name);
  const ok = answer.outcome === 'found' && answer.records.some((record) => record.startsWith(begin));
  return { name, record: `; ${line}`, now: seen(answer, String), ok, remark };
}

async function tlsaAdvice(line: string, resolver: Resolver): Promise<Advice> {
  const name = line.slice(0, line.indexOf('. IN '));
  const answer = await resolver.tlsa(name);
  const text = ({ usage, selector, matchingType, data }: TlsaRecord): string =>
    `${usage} ${selector} ${matchingType} ${Buffer.from(data).toString('hex').toUpperCase()}`;
  const ok = answer.outcome === 'found' && answer.records.some((record) => line.endsWith(` ${text(record)}`));
  const remark = 'DANE (optional): only in a zone with DNSSEC, and to be changed before the key of the certificate is.';
  return { name, record: `; ${line}`, now: seen(answer, text), ok, remark };
}
