/** `cn=monitor` as OpenLDAP's tools, python-ldap and Net::LDAP see it; the queue over HTTPS from other hosts, as the access mask has it. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { change, ldapAdministrator } from '../support/mail-clients.ts';
import {
  adminDn,
  adminPassword,
  command,
  eventually,
  prepareServer,
  type RunningServer,
  runServer,
  type ServerFiles,
} from '../support/server.ts';
import { type Network, openNetwork } from './support/network.ts';
import { type Ran, tool } from './support/tool.ts';

const here = { four: '198.51.100.1', six: '2001:db8:1::1' };
const near = { four: '203.0.113.7', six: '2001:db8:7::7' };
const far = { four: '203.0.113.200', six: '2001:db8:ff::1' };
const httpsPort = 8443;
const messages = 'cn=messages,cn=SMTPC,cn=queues,cn=monitor';
let net: Network<'mail' | 'client'>;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
let url: string;

beforeAll(async () => {
  net = await openNetwork({ mail: [here.four, here.six], client: [near.four, near.six, far.four, far.six] });
  const prepared = await prepareServer({ listen: { https: `[::]:${httpsPort}` }, extra: 'dns: [127.0.0.1:1]' });
  server = await runServer(prepared, { command: net.hosts.mail.command });
  files = { ...prepared, ports: { ...prepared.ports, ldap: await net.hosts.mail.forward(prepared.ports.ldap) } };
  url = `ldap://127.0.0.1:${files.ports.ldap}`;
  ldap = await ldapAdministrator(files);
  for (const [n, sender] of ['anna@x.example', 'bert@x.example', 'carl@y.example'].entries()) {
    const sent = await command(
      'sendmail',
      ['-f', sender, `friend${n}@remote.example`],
      files,
      `Subject: ${n}\n\n${'x'.repeat(n * 1_000)}\n`,
    );
    expect(sent).toMatchObject({ code: 0, err: '' });
  }
  await eventually(async () => (await search('-b', messages, '(mtQueueState=deferred)', '1.1')).out.match(/^dn:/gm)?.length === 3);
}, 120_000);

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
  await net.close();
});

const search = (...args: string[]): Promise<Ran> =>
  tool('ldapsearch', ['-x', '-LLL', '-o', 'ldif-wrap=no', '-H', url, '-D', adminDn, '-w', adminPassword, ...args]);
const stranger = (...args: string[]): Promise<Ran> => tool('ldapsearch', ['-x', '-LLL', '-H', url, ...args]);
const senders = ({ out }: Ran): string[] => [...out.matchAll(/^mtQueueSender: (.*)$/gm)].map(([, sender = '']) => sender);

test('ldapsearch finds the context in the root DSE, walks the tree, and asks by filter, in pages and in order', async () => {
  expect((await search('-s', 'base', '-b', '', 'monitorContext')).out).toBe('dn:\nmonitorContext: cn=monitor\n\n');
  expect((await stranger('-s', 'base', '-b', '', 'monitorContext')).out).toBe('dn:\n\n');
  const whole = await search('-b', 'cn=monitor');
  expect(whole.code).toBe(0);
  expect(whole.out).toMatch(/^dn: cn=SMTPD,cn=components,cn=monitor$/m);
  expect(senders(await search('-b', 'cn=monitor', '(mtQueueSender=*@x.example)'))).toEqual(['anna@x.example', 'bert@x.example']);
  expect(senders(await search('-b', messages, '(&(mtQueueSize>=1000)(mtQueueRecipient=friend2@*))'))).toEqual(['carl@y.example']);
  const paged = await search('-b', messages, '-E', '!pr=2/noprompt', '-E', '!sss=-mtQueueSize', '(mtQueueId=*)', 'mtQueueSender');
  expect([paged.code, senders(paged)]).toEqual([0, ['carl@y.example', 'bert@x.example', 'anna@x.example']]);
  expect((await search('-z', '2', '-b', messages, '(mtQueueId=*)', '1.1')).code).toBe(4);
  expect((await search('-b', 'cn=nothing,cn=monitor')).err).toMatch(/No such object \(32\)\nMatched DN: cn=monitor/);
  expect((await stranger('-b', 'cn=monitor')).code).toBe(32);
});

test('ldapmodify, ldapdelete, ldapadd and ldapmodrdn are told why not; ldapcompare compares', async () => {
  const admin = (program: string, args: string[], input = ''): Promise<Ran> =>
    tool(program, ['-x', '-H', url, '-D', adminDn, '-w', adminPassword, ...args], { input });
  const queue = 'cn=SMTPC,cn=queues,cn=monitor';
  for (const refused of [
    await admin('ldapmodify', [], `dn: ${queue}\nchangetype: modify\nreplace: mtQueueHeld\nmtQueueHeld: 1\n`),
    await admin('ldapdelete', [queue]),
    await admin('ldapdelete', ['-r', 'cn=queues,cn=monitor']),
    await admin('ldapmodrdn', [queue, 'cn=OTHER']),
    await admin('ldapadd', [], `dn: cn=new,cn=monitor\nobjectClass: person\ncn: new\nsn: new\n`),
  ])
    expect([refused.code, refused.out + refused.err]).toEqual([53, expect.stringContaining('is computed and can only be read')]);
  expect(await admin('ldapcompare', [queue, 'mtQueueDeferred:3'])).toMatchObject({ code: 6 });
  expect(await admin('ldapcompare', [queue, 'mtQueueDeferred:4'])).toMatchObject({ code: 5 });
  const followed = await search('-E', '!sync=ro', '-b', 'cn=monitor');
  expect(followed.err).toMatch(/Server is unwilling to perform|cannot be followed/);
});

test('python-ldap and Net::LDAP read it with the schema that the server publishes', async () => {
  const script = `
import ldap, ldap.schema, sys
c = ldap.initialize("${url}"); c.simple_bind_s("${adminDn}", "${adminPassword}")
s = ldap.schema.SubSchema(c.read_subschemasubentry_s(c.search_subschemasubentry_s("cn=monitor")))
for dn, e in c.search_s("cn=monitor", ldap.SCOPE_SUBTREE):
    must, may = s.attribute_types([v.decode() for v in e["objectClass"]])
    known = {n.lower() for t in list(must.values()) + list(may.values()) for n in t.names}
    strange = [a for a in e if a.lower() not in known]
    lacking = [t.names[0] for t in must.values() if not any(n.lower() in {a.lower() for a in e} for n in t.names)]
    if strange or lacking: sys.exit("%s %s %s" % (dn, strange, lacking))
print(len(c.search_s("${messages}", ldap.SCOPE_ONELEVEL)))
`;
  expect(await tool('/usr/bin/python3', ['-c', script])).toMatchObject({ code: 0, out: '3\n' });
  const perl = `use Net::LDAP; my $l = Net::LDAP->new("${url}"); $l->bind("${adminDn}", password => "${adminPassword}");
    my $r = $l->search(base => "cn=queues,cn=monitor", scope => "one", filter => "(mtQueueDeferred>=1)");
    print join(",", map { $_->get_value("cn") . "=" . $_->get_value("mtQueueDeferred") } $r->entries), "\\n";`;
  expect(await tool('perl', ['-e', perl])).toMatchObject({ code: 0, out: 'SMTPC=3\n' });
});

test('the reader of the Prometheus project reads the metrics: every one with help and type, no series twice, and the queue as it is', async () => {
  const script = `
import sys, urllib.request
from prometheus_client.parser import text_string_to_metric_families
answer = urllib.request.urlopen("http://127.0.0.1:${files.ports.http}/metrics")
text = answer.read().decode()
if not answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"): sys.exit(answer.headers["Content-Type"])
families = list(text_string_to_metric_families(text))
names = [f.name for f in families]
if len(names) != len(set(names)): sys.exit("a metric twice: %s" % names)
series = set()
for f in families:
    if not f.documentation: sys.exit("no help: " + f.name)
    if f.type not in ("counter", "gauge"): sys.exit("no type: " + f.name)
    for s in f.samples:
        key = (s.name, tuple(sorted(s.labels.items())))
        if key in series: sys.exit("a series twice: %s" % (key,))
        series.add(key)
        if f.type == "counter" and not s.name.endswith("_total"): sys.exit("a counter without _total: " + s.name)
print(len(names) > 20, [s.value for f in families for s in f.samples if s.name == "mailtree_queue_recipients" and s.labels == {"queue": "SMTPC", "state": "deferred"}])
`;
  expect(await net.hosts.mail.tool('/usr/bin/python3', ['-c', script])).toMatchObject({ code: 0, out: 'True [3.0]\n', err: '' });
});

/** HTTP status that a client with this address gets. */
async function asked(from: string, ...more: string[]): Promise<string> {
  const target = from.includes(':') ? `[${here.six}]` : here.four;
  const args = ['-sk', '--interface', from, '-o', '/dev/null', '-w', '%{http_code}', '-u', `admin:${adminPassword}`, ...more];
  return (await net.hosts.client.tool('curl', [...args, `https://${target}:${httpsPort}/api/queue/summary`])).out;
}

test.each([
  ['a single address', near.four, far.four, near.four],
  ['a range', '203.0.113.1-203.0.113.9', far.four, near.four],
  ['a network', '203.0.113.0/28', far.four, near.four],
  ['a single IPv6 address', near.six, far.six, near.six],
  ['an IPv6 range', '2001:db8:7::1-2001:db8:7::ffff', far.six, near.six],
  ['an IPv6 network', '2001:db8:7::/48', far.six, near.six],
])('the access mask, changed while the server runs, lets in %s and nobody else', async (_, mask, outside, inside) => {
  const settings = 'cn=preprocessor,cn=mailtree';
  await ldap.modify(settings, change('replace', 'mtQueueAccessMask'));
  await eventually(async () => (await asked(inside)) === '403');
  await ldap.modify(settings, change('replace', 'mtQueueAccessMask', mask));
  await eventually(async () => (await asked(inside)) === '200');
  expect(await asked(outside)).toBe('403');
  expect(await asked(inside, '-u', 'admin:wrong')).toBe('401');
  expect(await asked(inside, '-H', 'X-Forwarded-For: 127.0.0.1')).toBe('403');
  await eventually(async () => {
    const told = await tool('grep', ['-c', `queue access from .${outside}. refused`, `${files.dir}/data/log/iemta.log`]);
    return Number(told.out) > 0;
  });
});

test('other hosts read the metrics as long as they are monitoring clients', async () => {
  const settings = 'cn=server,cn=mailtree';
  const metrics = async (from: string): Promise<string> =>
    (
      await net.hosts.client.tool('curl', [
        '-sk',
        '--interface',
        from,
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        `https://${here.four}:${httpsPort}/metrics`,
      ])
    ).out;
  expect(await metrics(near.four)).toBe('403');
  await ldap.modify(settings, change('replace', 'mtMonitorClient', '203.0.113.0/28'));
  await eventually(async () => (await metrics(near.four)) === '200');
  expect(await metrics(far.four)).toBe('403');
  await ldap.modify(settings, change('replace', 'mtMonitorClient'));
  await eventually(async () => (await metrics(near.four)) === '403');
});
