/**
 * What following an external directory costs: CPU of this process for each change slapd tells, and how long one takes to count.
 * Run: npx tsx test/bench/external-directory.ts [entries] (needs Debian's slapd and ldap-utils)
 */

import { spawn } from 'node:child_process';
import { silentLog } from '../../src/base/index.ts';
import { system } from '../../src/directory/index.ts';
import { openRemoteDirectory } from '../../src/directory-remote/index.ts';
import { openDit } from '../../src/dit/index.ts';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { eventually } from '../support/server.ts';
import { createSlapd, remoteOptions, serviceDn, servicePassword } from '../support/slapd.ts';

const entries = Number(process.argv[2] ?? 10_000);
const person = (n: number): string =>
  `dn: mail=p${n}@one.test,dc=one,dc=test\nobjectClass: inetOrgPerson\nobjectClass: mtMailUser\nmail: p${n}@one.test\ncn: p${n}\nsn: p${n}\n`;

async function main(): Promise<void> {
  const slapd = await createSlapd();
  const tree = [
    'dn: dc=test\nobjectClass: domain\ndc: test\n',
    'dn: dc=one,dc=test\nobjectClass: domain\nobjectClass: mtMailDomain\ndc: one\n',
  ];
  const settings = ['cn=mailtree mtContainer mailtree', 'cn=server,cn=mailtree mtServer server'].map((line) => {
    const [dn, objectClass, cn] = line.split(' ');
    return `dn: ${dn}\nobjectClass: ${objectClass}\ncn: ${cn}\n`;
  });
  slapd.slapadd([...settings, ...tree, ...Array.from({ length: entries }, (_, n) => person(n))].join('\n'));
  await slapd.start();
  const begun = process.cpuUsage();
  const at = performance.now();
  const { directory, ready } = openRemoteDirectory(remoteOptions([slapd.url]));
  await ready;
  const opened = process.cpuUsage(begun);
  const used = (opened.user + opened.system) / 1000;
  console.log(`${entries} entries: the feed is current after ${Math.round(performance.now() - at)} ms, ${Math.round(used)} ms of CPU`);
  const dit = await openDit({
    directory,
    systemBase: parseDn('cn=mailtree'),
    domainBase: parseDn(''),
    host: 'x',
    log: silentLog,
    untrusted: true,
  });

  const times: number[] = [];
  for (let n = 0; n < 50; n++) {
    const values = [`h${n}.test`];
    await directory.modify(system('bench'), parseDn('cn=server,cn=mailtree'), [
      { operation: 'replace', attribute: { name: 'mtHostName', values } },
    ]);
    const from = performance.now();
    while (dit.mta.value.host !== values[0]) await new Promise((next) => setImmediate(next));
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  console.log(`a change counts ${times[25]?.toFixed(1)} ms after its answer (median), ${times[49]?.toFixed(1)} ms at most of 50`);

  for (let n = 0; n < entries; n++) await dit.recipient(`p${n}@one.test`);
  const changes = Math.min(entries, 10_000);
  const before = await directory.position();
  const cpu = process.cpuUsage();
  const from = performance.now();
  // By a process of its own: its work is not ours.
  const writer = spawn('ldapmodify', ['-x', '-H', slapd.url, '-D', serviceDn, '-w', servicePassword], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  writer.stdin.end(
    Array.from(
      { length: changes },
      (_, n) => `dn: mail=p${n}@one.test,dc=one,dc=test\nchangetype: modify\nreplace: title\ntitle: t\n`,
    ).join('\n'),
  );
  await eventually(async () => (await directory.position()) >= before + changes, 120_000);
  const spent = process.cpuUsage(cpu);
  const seconds = (performance.now() - from) / 1000;
  console.log(
    `${Math.round(changes / seconds)} changes a second; ${((spent.user + spent.system) / changes).toFixed(0)} µs of CPU a change, decoding and view together`,
  );
  dit.close();
  await directory.close();
  await slapd.remove();
}

await main();
