/** A directory that an earlier version has filled gets what this one cannot do without, and keeps what it has. */

import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadSchema } from '../../src/directory/index.ts';
import { addNeeded } from '../../src/main/first-start.ts';
import { parseConfig } from '../../src/main/index.ts';
import { attributes, dn, openTemporary, root } from '../directory/support.ts';

const config = parseConfig('host: mail.jade.net\ndomain: jade.net\n', 'test.yaml');
const peers = 'cn=peers,cn=mailtree';

test('the default peer is made where it is missing, once', async () => {
  const opened = await openTemporary({ schema: await loadSchema([join(process.cwd(), 'schema')]) });
  const { directory } = opened;
  await directory.add(root, dn('cn=mailtree'), attributes({ objectClass: 'mtContainer', cn: 'mailtree' }));
  await addNeeded(directory, config);
  expect((await directory.read(root, dn(`cn=default,${peers}`)))?.text('mtPeerRetryPeriod')).toBe('72');
  expect(await directory.read(root, dn('cn=server,cn=mailtree'))).toBeUndefined();
  await directory.modify(root, dn(`cn=default,${peers}`), [
    { operation: 'replace', attribute: { name: 'mtPeerRetryPeriod', values: ['5'] } },
  ]);
  await addNeeded(directory, config);
  expect((await directory.read(root, dn(`cn=default,${peers}`)))?.text('mtPeerRetryPeriod')).toBe('5');
  // Below cn=mta, once that is there: what lists, domains, keys and modules stand in.
  await directory.add(root, dn('cn=mta,cn=mailtree'), attributes({ objectClass: 'mtMta', cn: 'mta' }));
  await directory.add(
    root,
    dn('cn=spammers,cn=mta,cn=mailtree'),
    attributes({ objectClass: 'mtContainer', cn: 'spammers', description: 'ours' }),
  );
  await addNeeded(directory, config);
  for (const name of ['dnsbl', 'spammers', 'forwarding', 'mailauth', 'dkim', 'modules'])
    expect([name, (await directory.read(root, dn(`cn=${name},cn=mta,cn=mailtree`))) !== undefined]).toEqual([name, true]);
  expect((await directory.read(root, dn('cn=spammers,cn=mta,cn=mailtree')))?.text('description')).toBe('ours');
  expect((await directory.read(root, dn('cn=LoopDetection,cn=modules,cn=mta,cn=mailtree')))?.text('mtLoopMaximumTrips')).toBe('10');
  await opened.close();
});
