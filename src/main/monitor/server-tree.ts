/** What `cn=monitor` shows of a running server: where each figure comes from. */

import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { openConnections } from '../../base/index.ts';
import type { ComputedTree } from '../../directory/index.ts';
import type { Responder } from '../../responder/index.ts';
import { folderSize, type ServerMonitor } from '../monitor.ts';
import type { QueueDesk } from '../queue/desk.ts';
import type { Parts } from '../server.ts';
import { version } from '../version.ts';
import { type Database, monitorTree } from './tree.ts';

export interface ServerTreeNeeds extends Pick<Parts, 'config' | 'dit' | 'queue' | 'store' | 'directory' | 'keyValue' | 'bundledStore'> {
  readonly responder: Pick<Responder, 'status'>;
  readonly monitor: Pick<ServerMonitor, 'failing'>;
  readonly desk: Pick<QueueDesk, 'all'>;
  readonly directoryFolder: string | undefined;
  /** Octets that must stay free for mail to be taken. */
  readonly minFree: () => number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export function serverTree(needs: ServerTreeNeeds): ComputedTree {
  const { config, dit, queue, desk, responder, monitor, minFree, startedAt } = needs;
  return monitorTree({
    queue,
    messages: (filter) => desk.all(filter),
    host: () => dit.mta.value.host,
    version,
    startedAt,
    failing: () => monitor.failing(),
    components: () => responder.status(),
    listeners: openConnections,
    disk: async () => {
      const { bsize, blocks, bavail } = await statfs(config.data);
      return { total: blocks * bsize, free: bavail * bsize, minimum: minFree() };
    },
    databases: () => databases(needs),
  });
}

function databases({ directory, directoryFolder, bundledStore, keyValue, store, config }: ServerTreeNeeds): Database[] {
  const state = (healthy: boolean): 'running' | 'failed' => (healthy ? 'running' : 'failed');
  return [
    {
      name: 'directory',
      about: 'Entries, indexes and history of the directory',
      figures: async () => ({
        state: state(bundledStore?.healthy ?? true),
        octets: directoryFolder === undefined ? undefined : await folderSize(directoryFolder),
        change: await directory.position(),
      }),
    },
    {
      name: 'mail',
      about: 'Queue, mailboxes and index of messages',
      figures: async () => {
        let accounts = 0;
        for await (const _ of store.accounts()) accounts++;
        return { state: state(keyValue.healthy), octets: await folderSize(join(config.data, 'mail')), accounts };
      },
    },
  ];
}
