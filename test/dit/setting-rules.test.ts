/** Values of settings that would be passed over are refused when they are written, each named. */

import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadSchema } from '../../src/directory/index.ts';
import { platformRules } from '../../src/dit/index.ts';
import { declared } from '../../src/main/declarations.ts';
import { attributes, dn, type Opened, openTemporary, refusal, root } from '../directory/support.ts';

let opened: Opened;
const add = (name: string, values: Record<string, string | string[]>) => refusal(opened.directory.add(root, dn(name), attributes(values)));
const replace = (name: string, attribute: string, ...values: string[]) =>
  refusal(opened.directory.modify(root, dn(name), [{ operation: 'replace', attribute: { name: attribute, values } }]));

beforeAll(async () => {
  const schema = await loadSchema([join(process.cwd(), 'schema')]);
  opened = await openTemporary({
    schema,
    rules: platformRules({ systemBase: dn('cn=mailtree'), domainBase: dn(''), settings: declared.settings }),
  });
  await add('cn=mailtree', { objectClass: 'mtContainer', cn: 'mailtree' });
  for (const { objectClass, entry } of declared.settings)
    if (/^cn=[a-z]+(,cn=mta)?$/.test(entry))
      expect(await add(`${entry},cn=mailtree`, { objectClass, cn: /[a-z]+/.exec(entry.slice(3))?.[0] ?? '' })).toBe('not refused');
});
afterAll(() => opened.close());

const lists = [
  'mtSmtpdRelayAllow',
  'mtSmtpdRelayDeny',
  'mtSmtpdConnectionAllow',
  'mtSmtpdConnectionDeny',
  'mtSmtpdDnsBlWhitelist',
  'mtSmtpdRateExempt',
  'mtQueueAccessMask',
  'mtMonitorClient',
  'mtMailAuthExempt',
];
const holder = (attribute: string): string => {
  const found = declared.settings.find(({ settings }) => Object.values(settings).some((one) => one.attribute === attribute));
  return `${found?.entry},cn=mailtree`;
};

test.each(lists)('%s takes networks and no others', async (attribute) => {
  const name = holder(attribute);
  expect(
    await replace(
      name,
      attribute,
      '127.0.0.99/24',
      '192.0.2.1-192.0.2.9',
      '2001:db8::/32',
      '::1',
      '127.0.0.9-127.0.0.1',
      '192.55.89.00/28',
    ),
  ).toBe('not refused');
  const wrong = ['127.0.0.64/99', '10.0.0.0/33', '192.0.2.0/64', '2001:db8::/129', '192.0.2.1-::1', '1::2::3'];
  for (const value of wrong) {
    const said = await replace(name, attribute, '192.0.2.1', value);
    expect(said).toContain(`constraintViolation: attribute ${attribute}: "${value}" is not an`);
  }
});

test.each([
  ['mtSmtpcRelayHost', 'relay1.isp.example:99999'],
  ['mtSmtpcRelayHost', '[1.2.3.444]:25'],
  ['mtSmtpcSecondaryRelayHost', 'relay2.isp.example:65536'],
  ['mtSmtpcEtrnHost', 'mx.isp.example:0'],
  ['mtSmtpcSourceIpv6', ':::1'],
  ['mtDnsServer', '192.0.2.53:65536'],
  ['mtDnsServer', '[2001:db8:::53]:53'],
])('%s is not %s', async (attribute, value) => {
  expect(await replace(holder(attribute), attribute, value)).toContain(`constraintViolation: attribute ${attribute}: "${value}" is not `);
});

test('the notification address is one that mail reaches, or none', async () => {
  for (const value of ['boss@example.test', 'boss+mail@example.test', 'boss@[IPv6:2001:db8::1]', 'böss@example.test'])
    expect(await replace('cn=mta,cn=mailtree', 'mtPostmaster', value)).toBe('not refused');
  for (const value of [
    'boss',
    '<boss@example.test>',
    'Boss <boss@example.test>',
    'a@b, c@d',
    'boss@example.test (him)',
    '"a b"@example.test',
  ])
    expect(await replace('cn=mta,cn=mailtree', 'mtPostmaster', value)).toMatch(/mtPostmaster: .* is not an address, or nothing/);
  expect(await replace('cn=mta,cn=mailtree', 'mtPostmaster')).toBe('not refused');
});
