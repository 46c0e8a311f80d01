/** The desk of a running server, and the door to it from the network. */

import { accessList, type Live, systemClock } from '../../base/index.ts';
import { preprocessorSettings } from '../../preprocessor/index.ts';
import { createReporter } from '../../queue/index.ts';
import { smtpcSettings, weigher } from '../../smtpc/index.ts';
import type { QueueDoor } from '../../web/index.ts';
import type { ReportRules } from '../reports.ts';
import type { Parts } from '../server.ts';
import { QueueDesk } from './desk.ts';
import { administratorLogin } from './log-in.ts';
import { queueRoutes } from './routes.ts';

export function openDesk({ queue, blobs, dit, config, logs }: Parts, reports: ReportRules): QueueDesk {
  const log = logs('MQ Router');
  const reporter = createReporter({
    blobs,
    mta: dit.mta,
    clock: systemClock,
    random: Math.random,
    newId: () => queue.newId(),
    log,
    ...reports,
  });
  const smtpc = dit.settings(smtpcSettings);
  const weigh = (): ReturnType<typeof weigher> => weigher(smtpc.value, systemClock.now());
  return new QueueDesk({
    queue,
    control: queue.control({ blobs, reporter }),
    weigh,
    peer: (domain) => dit.peer(domain),
    noPrecedence: () =>
      smtpc.value.precedenceMultiplier === 0
        ? `${smtpcSettings.settings.precedenceMultiplier.attribute} is 0: precedence adds nothing to the weight by which SMTPC sends`
        : undefined,
    folder: config.data,
  });
}

export function queueDoor(desk: QueueDesk, { dit, directory, config, logs }: Parts): QueueDoor {
  return {
    admits: following(dit.settings(preprocessorSettings)),
    logIn: administratorLogin(directory, config.systemBase),
    routes: (by) => queueRoutes(desk, by),
    log: logs('MQ Router'),
    now: () => systemClock.now(),
  };
}

/** The access mask, live. */
function following(settings: Live<{ readonly queueAccess: readonly string[] }>): QueueDoor['admits'] {
  let mask = settings.value.queueAccess;
  let admits = accessList(mask);
  return (address) => {
    if (settings.value.queueAccess !== mask) {
      mask = settings.value.queueAccess;
      admits = accessList(mask);
    }
    return admits(address);
  };
}
