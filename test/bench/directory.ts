/**
 * Directory: microseconds of CPU for an equality search, a base read, an add and a modify, without the door.
 *
 * Run: npx tsx test/bench/directory.ts [entries]
 */

import { anonymous } from '../../src/directory/index.ts';
import { parseFilter, parseLdif } from '../../src/ldap-wire/index.ts';
import { importRecords, LocalTarget } from '../../src/transfer/index.ts';
import { dn, fill, openTemporary, person, root } from '../directory/support.ts';

async function measure(name: string, count: number, run: (n: number) => Promise<unknown>, width = 1): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let n = next++; n < count; n = next++) await run(n);
    }),
  );
  const used = process.cpuUsage(cpu);
  const wall = performance.now() - start;
  const each = (used.user + used.system) / count;
  console.log(
    `${name.padEnd(34)} ${each.toFixed(1).padStart(9)} µs CPU each ${Math.round((count / wall) * 1000)
      .toLocaleString('en')
      .padStart(10)}/s`,
  );
}

async function main(): Promise<void> {
  const entries = Number(process.argv[2] ?? 10_000);
  const opened = await openTemporary();
  const { directory } = opened;
  await fill(directory);
  const text = Array.from(
    { length: entries },
    (_, n) =>
      `dn: mail=p${n}@jade.net,dc=jade,dc=net\nobjectClass: inetOrgPerson\ncn: Person ${n}\nsn: Number${n % 1000}\ngivenName: Given\nmail: p${n}@jade.net\n`,
  );
  const records = parseLdif(text.join('\n'));
  let started = performance.now();
  const cpu = process.cpuUsage();
  await importRecords(records, { target: new LocalTarget(directory), schema: directory.schema });
  const used = process.cpuUsage(cpu);
  console.log(
    `import of ${entries}: ${((performance.now() - started) / 1000).toFixed(1)} s, ${((used.user + used.system) / entries).toFixed(0)} µs CPU each`,
  );
  started = performance.now();
  const searches = async (name: string, actor: ReturnType<typeof anonymous>, spread: number): Promise<void> => {
    const filters = Array.from({ length: spread }, (_, n) => parseFilter(`(mail=p${(n * 7919) % entries}@jade.net)`));
    await measure(name, 100_000, async (n) => {
      for await (const _ of directory.search(actor, { base: dn0, scope: 'sub', filter: filters[n % spread]! })) break;
    });
  };
  const dn0 = dn('dc=net');
  await searches('warm up', root, 1000);
  await searches('equality search, system', root, 1000);
  await searches('equality search, anonymous', anonymous('bench'), 1000);
  const names = Array.from({ length: 1000 }, (_, n) => dn(`mail=p${(n * 7919) % entries}@jade.net,dc=jade,dc=net`));
  await measure('read by name, anonymous', 100_000, async (n) => {
    await directory.read(anonymous('bench'), names[n % 1000]!);
  });
  await measure(
    'add, 20 at a time',
    4000,
    (n) => directory.add(root, dn(`mail=new${n}@jade.net,dc=jade,dc=net`), person(`new${n}@jade.net`)),
    20,
  );
  await measure(
    'modify, 20 at a time',
    4000,
    (n) =>
      directory.modify(root, dn(`mail=new${n}@jade.net,dc=jade,dc=net`), [
        { operation: 'replace', attribute: { name: 'title', values: [`T${n}`] } },
      ]),
    20,
  );
  await measure('substring search *ew39*', 200, async () => {
    for await (const _ of directory.search(root, { base: dn0, scope: 'sub', filter: parseFilter('(mail=*ew399*)') }));
  });
  await opened.close();
}

await main();
