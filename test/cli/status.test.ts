import { expect, test } from '@jest/globals';
import { queueRows } from '../../src/cli/commands/status.ts';
import type { ServerStatus } from '../../src/main/index.ts';

test('queues that nobody works are shown only while they hold mail, and said to be so', () => {
  const component = (name: string) => ({ name, state: 'running' as const }) as ServerStatus['components'][number];
  const rows = queueRows({
    components: ['PREPROCESSOR', 'LMDA', 'SMTPC'].map(component),
    queues: [
      { queue: 'INPUT', pending: 0, deferred: 0, held: 0, aside: 1 },
      { queue: 'LOCAL', pending: 1, deferred: 2, held: 4, aside: 0 },
      { queue: 'SMTPC', pending: 0, deferred: 0, held: 0, aside: 0 },
      { queue: 'DL', pending: 0, deferred: 0, held: 0, aside: 0 },
      { queue: 'BSMTPOUT', pending: 3, deferred: 0, held: 0, aside: 0 },
    ],
  });
  expect(rows).toEqual([
    ['INPUT', '0', '0', '0', '1 cannot be read (mailtree queue aside)'],
    ['LOCAL', '1', '2', '4', ''],
    ['SMTPC', '0', '0', '0', ''],
    ['BSMTPOUT', '3', '0', '0', 'no component of this server works this queue'],
  ]);
});
