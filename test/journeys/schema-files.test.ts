/** An administrator's own schema files, as the server meets them at its start. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Attribute, Change, Client } from 'ldapts';
import { adminDn, adminPassword, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

const suffix = 'o=University of Example,c=US';
const definition = `# Badges
objectidentifier exampleArc 1.3.6.1.4.1.32473.1

attributetype ( exampleArc:1 NAME 'exampleBadge' DESC 'number on the badge'
  EQUALITY numericStringMatch SUBSTR numericStringSubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.36{16} SINGLE-VALUE X-ORIGIN 'Example' )
`;
const employee = "dn: cn=schema\nobjectClasses: ( 1.3.6.1.4.1.32473.1.2 NAME 'exampleEmployee' SUP top\n  AUXILIARY MAY exampleBadge )\n";

let files: ServerFiles;
let folder: string;
beforeAll(async () => {
  files = await prepareServer({ extra: `suffixes: [ "${suffix}" ]` });
  folder = join(files.dir, 'data', 'schema');
  mkdirSync(folder, { recursive: true });
});
afterAll(() => files.remove());

async function withServer(work: (server: RunningServer) => Promise<void>): Promise<void> {
  const server = await runServer(files);
  try {
    await work(server);
  } finally {
    expect(await server.stop()).toBe(0);
  }
}

const connect = () => new Client({ url: `ldap://127.0.0.1:${files.ports.ldap}` });

test('what is wrong with a file ends the start with file, line and rule', async () => {
  const path = join(folder, '10-badges.schema');
  for (const [text, message] of [
    [definition.replace('numericStringMatch', 'numberMatch'), `${path} line 4: EQUALITY numberMatch is no equality rule this server knows`],
    [definition.replace(/ \)\n$/, '\n'), `${path} line 4: the closing ")" is missing`],
    [
      `${definition}objectclass ( 2.5.6.6 NAME 'exampleEmployee' )\n`,
      `${path} line 7: exampleEmployee (2.5.6.6) collides with person (2.5.6.6) of core.schema line`,
    ],
  ] as const) {
    writeFileSync(path, text);
    await expect(runServer(files)).rejects.toThrow(`schema: ${message}`);
  }
  writeFileSync(path, definition);
  writeFileSync(join(folder, '20-employees.ldif'), employee.replace('MAY', 'MUST exampleBadger MAY'));
  await expect(runServer(files)).rejects.toThrow(
    `20-employees.ldif line 2: MUST exampleBadger of exampleEmployee is not a defined attribute`,
  );
});

test('classes of both forms count, are shown to anybody, and hold in a further suffix', async () => {
  writeFileSync(join(folder, '20-employees.ldif'), employee);
  await withServer(async () => {
    const anybody = connect();
    const { searchEntries } = await anybody.search('cn=subschema', {
      scope: 'base',
      filter: '(&(objectClass=subschema)(objectClasses=exampleEmployee))',
      attributes: ['attributeTypes', 'objectClasses', 'modifyTimestamp'],
    });
    const [shown] = searchEntries;
    expect(shown?.objectClasses).toContain("( 1.3.6.1.4.1.32473.1.2 NAME 'exampleEmployee' SUP top AUXILIARY MAY exampleBadge )");
    expect(shown?.attributeTypes).toContain(
      "( 1.3.6.1.4.1.32473.1.1 NAME 'exampleBadge' DESC 'number on the badge' EQUALITY numericStringMatch SUBSTR numericStringSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.36{16} SINGLE-VALUE X-ORIGIN 'Example' )",
    );
    expect(shown?.modifyTimestamp).toMatch(/^\d{14}Z$/);
    const admin = connect();
    await admin.bind(adminDn, adminPassword);
    await admin.add(suffix, { objectClass: 'organization', o: 'University of Example' });
    const entry = (badge: string) => ({ objectClass: ['inetOrgPerson', 'exampleEmployee'], cn: 'Ada', sn: 'A', exampleBadge: badge });
    await expect(admin.add(`cn=Ada,${suffix}`, entry('12-3'))).rejects.toThrow(
      /attribute exampleBadge: "12-3" is not a valid Numeric String/,
    );
    await admin.add(`cn=Ada,${suffix}`, entry('12 34'));
    // Anybody finds people by their names, and badges are not what rules call general information.
    for (const [who, filter, dns] of [
      [admin, '(exampleBadge=1234)', [`cn=Ada,${suffix}`]],
      [anybody, '(cn=ADA)', [`cn=Ada,${suffix}`]],
      [anybody, '(exampleBadge=1234)', []],
    ] as const) {
      const found = await who.search('o=university of example, c=us', { filter, attributes: ['cn'] });
      expect([filter, found.searchEntries.map(({ dn }) => dn)]).toEqual([filter, dns]);
    }
    const roots = await anybody.search('', { scope: 'base', attributes: ['namingContexts'] });
    expect(roots.searchEntries[0]?.namingContexts).toContain(suffix);
    await Promise.all([anybody.unbind(), admin.unbind()]);
  });
});

test('a class that has gone from the files while an entry uses it is told at the start, and the entry is still there', async () => {
  rmSync(join(folder, '20-employees.ldif'));
  await withServer(async (server) => {
    expect(server.output()).toContain('schema: object class exampleEmployee is no longer defined in any schema file, and 1 entry uses it');
    const admin = connect();
    await admin.bind(adminDn, adminPassword);
    const { searchEntries } = await admin.search(`cn=Ada,${suffix}`, { scope: 'base' });
    expect(searchEntries).toHaveLength(1);
    const change = { operation: 'add' as const, modification: new Attribute({ type: 'description', values: ['x'] }) };
    await expect(admin.modify(`cn=Ada,${suffix}`, new Change(change))).rejects.toThrow(
      /objectClass: "exampleEmployee" is not defined in the schema/,
    );
    await admin.unbind();
  });
});
