/**
 * The directory alone, without the door: processor time of an import, of searches over a warm working set and over everything, of writes; memory
 * and the time of a start. With 10,000 entries and with 1,000,000 it shows what size costs.
 *
 *     npx tsx test/bench/directory.ts [entries]
 */

import { constant, silentLog, systemClock } from '../../src/base/index.ts';
import { anonymous, type BundledDirectory, directorySettings, inlineHasher, openDirectory } from '../../src/directory/index.ts';
import { parseDn, parseFilter } from '../../src/ldap-wire/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { openKeyValue } from '../../src/storage/index.ts';
import { dn, fill, root, testSchema } from '../directory/support.ts';
import { tempDir } from '../support/temp.ts';
import { addressOf, nameOf, person } from './load/ldap-requests.ts';

const people = { base: 'dc=jade,dc=net', domain: 'jade.net', hashed: '{SSHA}c29tZXRoaW5nIHRoYXQgaXMgbm8gcGFzc3dvcmQ=' };
/** `fill` has made a few of its own. */
const first = 1000;
const batch = 300;
const base = dn('dc=net');

const { path, remove } = await tempDir();
const schema = testSchema();
const settings = constant({ ...defaultsOf(directorySettings), sizeLimit: 0 });
const open = async (): Promise<{ directory: BundledDirectory; close: () => Promise<void> }> => {
  const keyValue = await openKeyValue({ path, clock: systemClock });
  const directory = await openDirectory({ keyValue, schema, settings, clock: systemClock, log: silentLog, hasher: inlineHasher });
  return {
    directory,
    close: async () => {
      await directory.close();
      await keyValue.close();
    },
  };
};

async function measure(name: string, count: number, run: (n: number) => Promise<void>, width = 1): Promise<void> {
  const [cpu, start] = [process.cpuUsage(), performance.now()];
  let [next, longest] = [0, 0];
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let n = next++; n < count; n = next++) {
        const begun = performance.now();
        await run(n);
        longest = Math.max(longest, performance.now() - begun);
      }
    }),
  );
  const { user, system } = process.cpuUsage(cpu);
  const rate = (count * 1000) / (performance.now() - start);
  console.log(
    `${name.padEnd(60)} ${((user + system) / count).toFixed(1).padStart(9)} µs CPU each  ${rate.toFixed(0).padStart(8)}/s  longest ${longest.toFixed(1)} ms`,
  );
}

async function load(directory: BundledDirectory, entries: number): Promise<void> {
  await fill(directory);
  const [cpu, start] = [process.cpuUsage(), performance.now()];
  const every = Math.ceil(entries / 10 / batch) * batch;
  for (let at = first; at < first + entries; at += batch) {
    const count = Math.min(batch, first + entries - at);
    const some = Array.from({ length: count }, (_, n) => ({ dn: parseDn(nameOf(at + n, people)), attributes: person(at + n, people) }));
    await directory.addBatch(root, some);
    if ((at - first) % every === 0)
      console.log(
        `  ${at - first} entries after ${((performance.now() - start) / 1000).toFixed(1)} s, ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`,
      );
  }
  await directory.settle();
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `import of ${entries}: ${((performance.now() - start) / 1000).toFixed(1)} s, ${((user + system) / entries).toFixed(0)} µs CPU each`,
  );
}

async function searches(directory: BundledDirectory, entries: number): Promise<void> {
  const number = (n: number): number => first + ((n * 7919 + 13) % entries);
  const ask = async (text: string): Promise<void> => {
    for await (const _ of directory.search(root, { base, scope: 'sub', filter: parseFilter(text) }));
  };
  for (const warm of [1000, 5000]) {
    const filters = Array.from({ length: warm }, (_, n) => parseFilter(`(mail=${addressOf(number(n), people)})`));
    for (const what of ['cold', 'warm', 'warm']) {
      await measure(`equality over ${warm} entries, anonymous, ${what}`, what === 'cold' ? warm : 100_000, async (n) => {
        const filter = filters[n % warm];
        if (filter) for await (const _ of directory.search(anonymous('bench'), { base, scope: 'sub', filter }));
      });
    }
  }
  await measure('(mail=u1234*)', 20, (n) => ask(`(mail=u${number(n)}*)`));
  await measure('(cn=*ler-1234*)', 20, (n) => ask(`(cn=*ler-${number(n) % 10_007}*)`));
  await measure('(mail=*u1234@*)', 20, (n) => ask(`(mail=*u${number(n)}@*)`));
  await measure('(&(sn=adler*)(mail=*1234*))', 20, (n) => ask(`(&(sn=adler*)(mail=*${number(n)}*))`));
  await measure('(|(uid=u1234)(telephoneNumber=…)(mail=u1234@…))', 200, (n) =>
    ask(`(|(uid=u${number(n)})(telephoneNumber=+49 89 ${100_000 + number(n)})(mail=${addressOf(number(n), people)}))`),
  );
  await measure('(sn=*zzz*)', 20, () => ask('(sn=*zzz*)'));
}

const entries = Number(process.argv[2] ?? 10_000);
let opened = await open();
try {
  await load(opened.directory, entries);
  await opened.close();
  const start = performance.now();
  opened = await open();
  console.log(`a start takes ${(performance.now() - start).toFixed(0)} ms`);
  const { directory } = opened;
  await searches(directory, entries);
  const one = (n: number) => parseDn(nameOf(first + entries + n, people));
  await measure('add, 20 at a time', 4000, async (n) => void (await directory.add(root, one(n), person(first + entries + n, people))), 20);
  await measure(
    'modify, 20 at a time',
    4000,
    async (n) => void (await directory.modify(root, one(n), [{ operation: 'replace', attribute: { name: 'title', values: [`T${n}`] } }])),
    20,
  );
  console.log(`resident: ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`);
} finally {
  await opened.close();
  await remove();
}
