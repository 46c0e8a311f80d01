/**
 * Every setting that is declared, written by an independent LDAP client: what breaks its declaration is refused in words that name the attribute and
 * what is allowed; what keeps to it is taken, read back and used; without a value the default holds.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Attribute, Change, Client } from 'ldapts';
import { type Live, silentLog } from '../../src/base/index.ts';
import { loadSchema } from '../../src/directory/index.ts';
import { type OpenDit, openDit, platformRules } from '../../src/dit/index.ts';
import { declared } from '../../src/main/declarations.ts';
import { defaultEntries, isValid, type Setting, type SettingsDeclaration } from '../../src/settings/index.ts';
import { attributes, dn, type Opened, openTemporary, root } from '../directory/support.ts';
import { type Door, openDoor } from '../support/ldap-door.ts';
import { eventually } from '../support/server.ts';

const host = 'mx.example';
let opened: Opened;
let door: Door;
let dit: OpenDit;
let ldap: Client;

beforeAll(async () => {
  const schema = await loadSchema([join(process.cwd(), 'schema')]);
  const rules = platformRules({ systemBase: dn('cn=mailtree'), domainBase: dn(''), settings: declared.settings });
  opened = await openTemporary({ schema, rules });
  await opened.directory.add(root, dn('cn=mailtree'), attributes({ objectClass: 'mtContainer', cn: 'mailtree' }));
  await opened.directory.add(root, dn('cn=admins,cn=mailtree'), attributes({ objectClass: 'mtContainer', cn: 'admins' }));
  const admin = { objectClass: 'person', cn: 'admin', sn: 'Administrator', userPassword: 'admin secret' };
  await opened.directory.add(root, dn('cn=admin,cn=admins,cn=mailtree'), attributes(admin));
  for (const { entry, attributes: pairs } of defaultEntries(declared.settings)) {
    const values: Record<string, string[]> = {};
    for (const [name, value] of pairs) values[name] = [...(values[name] ?? []), value.replaceAll('{host}', host)];
    await opened.directory.add(root, dn(nameOf(entry)), attributes(values));
  }
  dit = await openDit({ directory: opened.directory, systemBase: dn('cn=mailtree'), domainBase: dn(''), host, log: silentLog });
  door = await openDoor({ directory: opened.directory });
  ldap = new Client({ url: `ldap://127.0.0.1:${door.port}` });
  await ldap.bind('cn=admin,cn=admins,cn=mailtree', 'admin secret');
});

afterAll(async () => {
  await ldap.unbind();
  await door.end();
  dit.close();
  await opened.close();
});

const nameOf = (entry: string): string => `${entry.replaceAll('{host}', host)},cn=mailtree`;

/** Its code and what is said, or undefined where it was taken. */
async function refused(entry: string, attribute: string, ...values: string[]): Promise<{ code: number; say: string } | undefined> {
  try {
    await ldap.modify(nameOf(entry), new Change({ operation: 'replace', modification: new Attribute({ type: attribute, values }) }));
    return undefined;
  } catch (thrown) {
    const { code, message } = thrown as { code: number; message: string };
    return { code, say: message };
  }
}

const constraintViolation = 19;
const invalidAttributeSyntax = 21;

/** Of texts of many kinds those that fit, and those that do not. */
const samples = [
  'somewhere.example',
  '192.0.2.1',
  '2001:db8::1',
  '[192.0.2.1]:2525',
  '127.0.0.1:2525',
  'user@somewhere.example',
  '/some/path',
  '10, 20',
  'UTF-8',
  'SMTPD LOCAL',
  'employeeNumber eq,pres',
  'Words',
];
const nonsense = ['a b  c', '<x>', 'a\u0000b', '\u0007', 'x/y%z', 'ä..ö', '-', '99999999999'];

interface Trials {
  readonly good: readonly (readonly string[])[];
  readonly bad: readonly { readonly values: readonly string[]; readonly code: number; readonly named: readonly string[] }[];
}

function trialsOf(setting: Setting): Trials {
  const wrong = (values: readonly string[], code: number, ...named: string[]) => ({ values, code, named });
  switch (setting.type) {
    case 'integer': {
      const { min, max } = setting;
      const bounds = [String(min), String(max)] as const;
      const outside = [min - 1, max + 1].map((n) => wrong([String(n)], constraintViolation, ...bounds));
      const noNumbers = ['many', '1.5', `${min} `, '0x10'].map((text) => wrong([text], invalidAttributeSyntax));
      return { good: [[String(max)], [String(min)]], bad: [...outside, ...noNumbers, wrong([...bounds], constraintViolation)] };
    }
    case 'boolean':
      return {
        good: [[setting.default ? 'FALSE' : 'TRUE']],
        bad: [
          wrong(['maybe'], invalidAttributeSyntax),
          wrong(['1'], invalidAttributeSyntax),
          wrong(['TRUE', 'FALSE'], constraintViolation),
        ],
      };
    case 'choice':
      return {
        good: setting.choices.map((choice) => [choice]),
        bad: [
          wrong(['nothing-of-these'], constraintViolation, ...setting.choices),
          wrong(setting.choices.slice(0, 2), constraintViolation),
        ],
      };
    case 'text': {
      const most = setting.max ?? 1024;
      const fit = samples.filter((text) => text.length <= most && isValid(setting, text));
      const misfit = nonsense.filter((text) => !isValid(setting, text));
      return {
        good: fit.slice(0, 1).map((text) => [text]),
        bad: [
          ...misfit.map((text) => wrong([text], constraintViolation)),
          wrong(['x'.repeat(most + 1)], constraintViolation),
          wrong(fit.length > 1 ? fit.slice(0, 2) : ['a', 'b'], constraintViolation),
        ],
      };
    }
    default: {
      const fit = samples.filter((text) => isValid(setting, text));
      const misfit = nonsense.filter((text) => !isValid(setting, text));
      return { good: [fit], bad: misfit.map((text) => wrong([...fit, text], constraintViolation)) };
    }
  }
}

const views = new Map<SettingsDeclaration, Live<Readonly<Record<string, unknown>>>>();
function usedNow(declaration: SettingsDeclaration, name: string): unknown {
  const view = views.get(declaration) ?? dit.settings(declaration);
  views.set(declaration, view);
  return view.value[name];
}

/** The view of the directory follows in its own time. */
async function becomes(declaration: SettingsDeclaration, name: string, expected: unknown): Promise<void> {
  const same = (): boolean => JSON.stringify(usedNow(declaration, name)) === JSON.stringify(expected);
  await eventually(async () => same()).catch(() => {});
  expect([name, usedNow(declaration, name)]).toEqual([name, expected]);
}

const meantBy = (setting: Setting, values: readonly string[]): unknown =>
  setting.type === 'list'
    ? values
    : setting.type === 'integer'
      ? Number(values[0])
      : setting.type === 'boolean'
        ? values[0] === 'TRUE'
        : values[0];

async function readBack(entry: string, attribute: string): Promise<string[]> {
  const { searchEntries } = await ldap.search(nameOf(entry), { scope: 'base', attributes: [attribute] });
  return [searchEntries[0]?.[attribute] ?? []].flat().map(String);
}

for (const declaration of declared.settings) {
  const { entry, settings } = declaration;
  test.each(Object.entries<Setting>(settings).map(([name, setting]) => [setting.attribute, name, setting] as const))(
    `${entry}: %s`,
    async (attribute, name, setting) => {
      const { good, bad } = trialsOf(setting);
      expect([good.length > 0, good.length + bad.length > 1]).toEqual([true, true]);
      const secret = setting.type === 'text' && setting.secret === true;
      const before = await readBack(entry, attribute);
      for (const { values, code, named } of bad) {
        const answer = await refused(entry, attribute, ...values);
        expect([values, answer?.code, answer?.say]).toEqual([values, code, expect.stringContaining(attribute)]);
        for (const word of named) expect(answer?.say).toContain(word);
      }
      expect(await readBack(entry, attribute)).toEqual(before);
      for (const values of good) {
        expect([values, await refused(entry, attribute, ...values)]).toEqual([values, undefined]);
        expect(await readBack(entry, attribute)).toEqual(secret ? [] : values);
        await becomes(declaration, name, meantBy(setting, values));
      }
      expect(await refused(entry, attribute)).toBeUndefined();
      expect(await readBack(entry, attribute)).toEqual([]);
      await becomes(declaration, name, setting.default);
    },
  );
}
