/**
 * `cn=monitor`: how the server is, as entries that are made when they are asked for.
 *
 * The form follows OpenLDAP's monitor backend: containers below `cn=monitor`, one entry for each thing that is observed, read only. Classes
 * and attributes are our own (classes.ts).
 */

import type { ComputedTree } from '../../directory/index.ts';
import { generalizedTime, monitorBase } from '../../directory/index.ts';
import type { Dn } from '../../ldap-wire/index.ts';
import type { ComponentStatus } from '../../responder/index.ts';
import {
  componentClass,
  containerClass,
  databaseClass,
  destinationClass,
  diskClass,
  kindOf,
  listenerClass,
  messageClass,
  queueClass,
  serverClass,
} from './classes.ts';
import { below, branch, group, isNamed, leaf, type Node, named, treeOf, type Values } from './node.ts';
import { type QueuesNeeds, queuesNode } from './queues.ts';

export interface MonitorTreeNeeds extends QueuesNeeds {
  readonly host: () => string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** What keeps the server from being ready. */
  readonly failing: () => Promise<readonly { readonly why: string }[]>;
  readonly components: () => readonly ComponentStatus[];
  readonly listeners: () => readonly { readonly listener: string; readonly open: number }[];
  /** Octets. */
  readonly disk: () => Promise<{ readonly total: number; readonly free: number; readonly minimum: number }>;
  readonly databases: () => readonly Database[];
}

/** A database and what is known of it, made when asked for. */
export interface Database {
  readonly name: string;
  readonly about: string;
  readonly figures: () => Promise<{
    readonly state: 'running' | 'failed';
    readonly octets?: number | undefined;
    readonly accounts?: number | undefined;
    readonly change?: number | undefined;
  }>;
}

export function monitorTree(needs: MonitorTreeNeeds): ComputedTree {
  const nodes: readonly Node[] = [
    componentsNode(monitorBase, needs),
    listenersNode(monitorBase, needs),
    queuesNode(monitorBase, needs),
    diskNode(monitorBase, needs),
    databasesNode(monitorBase, needs),
  ];
  const declarations = [
    containerClass,
    componentClass,
    listenerClass,
    queueClass,
    destinationClass,
    messageClass,
    diskClass,
    databaseClass,
  ];
  return treeOf(
    branch(monitorBase, {
      declaration: serverClass,
      values: () => serverValues(needs),
      below: kindOf(...declarations),
      children: () => nodes,
      child: (rdn) => nodes.find((node) => isNamed(rdn, named(node.dn.rdns[0] ?? [], 'cn') ?? '')),
    }),
  );
}

async function serverValues({ host, version, startedAt, failing }: MonitorTreeNeeds): Promise<Values> {
  const problems = await failing();
  return {
    cn: 'monitor',
    description: 'The server as it is; computed, read only',
    mtMonitorHost: host(),
    mtMonitorVersion: version,
    mtMonitorSince: generalizedTime(startedAt),
    mtMonitorReady: problems.length === 0,
    mtMonitorProblem: [...new Set(problems.map(({ why }) => why))],
    mtMonitorMemory: process.memoryUsage.rss(),
  };
}

function componentsNode(top: Dn, { components }: MonitorTreeNeeds): Node {
  const dn = below(top, 'cn', 'components');
  return group(dn, { cn: 'components', description: 'Components of this host' }, [componentClass], () =>
    components().map((component) =>
      leaf(below(dn, 'cn', component.name), componentClass, () => ({
        cn: component.name,
        mtMonitorState: component.state,
        mtMonitorSince: component.since === undefined ? undefined : generalizedTime(component.since),
        mtMonitorRestarts: component.restarts,
        mtMonitorProblem: component.lastError,
        mtMonitorAutoStart: component.policy.autoStart,
      })),
    ),
  );
}

function listenersNode(top: Dn, { listeners }: MonitorTreeNeeds): Node {
  const dn = below(top, 'cn', 'listeners');
  return group(dn, { cn: 'listeners', description: 'Listeners and their connections' }, [listenerClass], () =>
    listeners().map(({ listener, open }) =>
      leaf(below(dn, 'cn', listener), listenerClass, () => ({ cn: listener, mtMonitorConnections: open })),
    ),
  );
}

function diskNode(top: Dn, { disk }: MonitorTreeNeeds): Node {
  return leaf(below(top, 'cn', 'disk'), diskClass, async () => {
    const { total, free, minimum } = await disk();
    return {
      cn: 'disk',
      description: 'The disk of queue and mailboxes',
      mtMonitorDiskTotal: total,
      mtMonitorDiskFree: free,
      mtMonitorDiskMinimum: minimum,
    };
  });
}

function databasesNode(top: Dn, { databases }: MonitorTreeNeeds): Node {
  const dn = below(top, 'cn', 'databases');
  return group(dn, { cn: 'databases', description: 'Directory and message store' }, [databaseClass], () =>
    databases().map(({ name, about, figures }) =>
      leaf(below(dn, 'cn', name), databaseClass, async () => {
        const { state, octets, accounts, change } = await figures();
        return {
          cn: name,
          description: about,
          mtMonitorState: state,
          mtMonitorOctets: octets,
          mtMonitorAccounts: accounts,
          mtMonitorChange: change,
        };
      }),
    ),
  );
}
