/**
 * The control socket `data/run/control`: HTTP on a Unix socket that only the server's own user can open. It carries the
 * command line: status, start and stop of components, explain, queue, sendmail.
 *
 * Promise: answers are JSON (or one JSON object a line); a refusal has the fault's HTTP status and its text.
 */

import { rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { isIP } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { asFault, Fault, type Log, replyOf } from '../base/index.ts';
import type { AccessAnswer, AccessQuestion } from '../directory/index.ts';
import type { LinkStatus } from '../directory-remote/index.ts';
import { asIdentifier, isQueueId, type Queue, queueNames } from '../queue/index.ts';
import type { ComponentStatus, Responder } from '../responder/index.ts';
import type { Explain } from '../routing/index.ts';
import { isEtrnName, isHostSetting } from '../smtpc/index.ts';
import type { AskedLater } from './components.ts';
import { notBundled } from './config-directory.ts';
import { type DirectoryJobs, jsonLines, textStream, type WholeImport } from './directory-jobs.ts';
import type { HandIn } from './hand-in.ts';
import { readHandedIn } from './handed-in.ts';
import type { HistoryLine, HistoryQuestion, UndoHow, UndoReport } from './history.ts';
import type { ModuleListed } from './modules.ts';
import type { QueueDesk } from './queue/desk.ts';
import { queueRoutes } from './queue/routes.ts';
import type { TlsQuestions } from './tls.ts';
import { queueFor } from './trace/queue-for.ts';

export interface ServerStatus {
  readonly version: string;
  readonly pid: number;
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly components: readonly ComponentStatus[];
  readonly queues: Awaited<ReturnType<Queue['summary']>>;
  /** Octets. */
  readonly memory: number;
  /** Whether the databases take changes. */
  readonly writable: boolean;
  /** What keeps them from it, and that it will pass. */
  readonly problems: readonly string[];
  /** An external directory: whether it answers. Absent where the bundled one is used. */
  readonly directory?: LinkStatus;
}

export interface ControlOptions {
  readonly responder: Responder;
  readonly queue: Queue;
  /** The queue for administrators. */
  readonly desk: QueueDesk;
  readonly history: (question: HistoryQuestion) => Promise<readonly HistoryLine[]>;
  readonly undo: (change: string, how: UndoHow) => Promise<UndoReport>;
  readonly explain: Explain;
  readonly tls: TlsQuestions;
  readonly can: (question: AccessQuestion) => Promise<AccessAnswer>;
  /** Reads the view of the directory afresh. */
  readonly refreshView: () => Promise<void>;
  readonly status: () => Promise<ServerStatus>;
  readonly modules: () => readonly ModuleListed[];
  readonly smtpc: AskedLater['smtpc'];
  readonly handIn: HandIn;
  /** Undefined where the directory is not in this process. */
  readonly directory: DirectoryJobs | undefined;
  readonly log: Log;
}

export interface Control {
  close(): Promise<void>;
}

/** Listens at `path`; Fault `unavailable` where it cannot. */
export async function openControl(path: string, options: ControlOptions): Promise<Control> {
  rmSync(path, { force: true });
  const server = createServer(getRequestListener(controlApp(options).fetch));
  // Nobody else may open the socket, not even for the moment before chmod: the directory above is 0700, and the server's mask is 077.
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new Fault('unavailable', `the control socket ${path} cannot be opened: ${cause.message}`, { cause })),
    );
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return { close: () => close(server) };
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

function controlApp(options: ControlOptions): Hono {
  const { queue, responder } = options;
  const app = new Hono();
  app.onError((thrown, c) => {
    const fault = asFault(thrown);
    if (fault.kind === 'bug') options.log.error('control socket', thrown);
    return c.json({ error: fault.say }, replyOf(fault).http as 400);
  });
  app.notFound((c) => c.json({ error: 'there is no such command' }, 404));
  app.get('/status', async (c) => c.json(await options.status()));
  app.get('/smtpc/relays', (c) => c.json(options.smtpc.relays()));
  app.post('/smtpc/etrn', async (c) => {
    const { host } = c.req.query();
    if (!host || !isHostSetting(host)) throw new Fault('malformed', `${host ?? 'nothing'} is not a host name, nor an address in brackets`);
    const names = c.req.queries('name') ?? [];
    const wrong = names.find((name) => !isEtrnName(name));
    if (wrong !== undefined) throw new Fault('malformed', `${wrong} cannot be asked for by ETRN`);
    return c.json(await options.smtpc.etrn(host, names.length > 0 ? names : undefined));
  });
  app.get('/modules', (c) => c.json(options.modules()));
  app.post('/components/:name/:order{start|stop|restart}', async (c) => {
    await responder[c.req.param('order') as 'start' | 'stop' | 'restart'](c.req.param('name'));
    return c.json(responder.status());
  });
  app.get('/explain', async (c) => {
    const { address, sender, client } = c.req.query();
    if (!address) throw new Fault('malformed', 'address is missing');
    if (client !== undefined && isIP(client) === 0) throw new Fault('malformed', `${client} is not an IP address`);
    return c.json(await options.explain({ address, sender, client }));
  });
  addTls(app, options.tls);
  app.post('/view/refresh', async (c) => {
    await options.refreshView();
    return c.json({});
  });
  app.get('/directory/can', async (c) => {
    const { who, dn, right, attribute } = c.req.query();
    if (who === undefined || dn === undefined) throw new Fault('malformed', 'who or dn is missing');
    return c.json(
      await options.can({ who, dn, ...(right === undefined ? {} : { right }), ...(attribute === undefined ? {} : { attribute }) }),
    );
  });
  app.get('/directory/history', async (c) => c.json(await options.history(c.req.query())));
  app.post('/directory/undo/:change', async (c) => {
    const { dryRun, force } = c.req.query();
    return c.json(await options.undo(c.req.param('change'), { dryRun: dryRun === 'true', force: force === 'true' }));
  });
  app.route(
    '/queue',
    queueRoutes(options.desk, (c) => c.req.query('by')?.slice(0, 200) ?? 'command line'),
  );
  const traced = queueFor(queue);
  app.get('/trace/find', async (c) =>
    c.json(await traced.find(c.req.query('about') ?? '', Math.min(Number(c.req.query('limit')) || 100, 10_000))),
  );
  app.get('/trace/message/:id', async (c) => {
    const id = c.req.param('id');
    return c.json((isQueueId(id) ? await traced.get(id) : undefined) ?? null);
  });
  app.post('/queue/:name/retry', async (c) => {
    const name = queueNames.find((one) => one === c.req.param('name'));
    if (!name) throw new Fault('not-found', `there is no queue ${c.req.param('name')}; there are ${queueNames.join(', ')}`);
    const given = c.req.query('identifier');
    const destination = given === undefined || name !== 'SMTPC' ? given : asIdentifier(given);
    return c.json({ recipients: await queue.retryNow(name, destination) });
  });
  app.post('/messages', async (c) => {
    const body = c.req.raw.body;
    if (!body) throw new Fault('malformed', 'the message is missing');
    return c.json({ id: await options.handIn(await readHandedIn(body as unknown as AsyncIterable<Uint8Array>)) });
  });
  addDirectory(app, options.directory);
  return app;
}

function addTls(app: Hono, tls: TlsQuestions): void {
  const domainOf = (domain: string | undefined): string => {
    if (!domain) throw new Fault('malformed', 'domain is missing');
    return domain;
  };
  app.get('/tls', async (c) => c.json(await tls.about(domainOf(c.req.query('domain')), { connect: c.req.query('connect') === '1' })));
  app.get('/tls/publish', async (c) => {
    const { domain, mode, maxAge } = c.req.query();
    return c.json(await tls.publish({ domain: domainOf(domain), mode, maxAge }));
  });
  app.get('/tls/reports', async (c) => c.json(await tls.counted()));
  app.get('/tls/counts', (c) => c.json(tls.counts()));
  app.post('/tls/reports', async (c) => c.json(await tls.report()));
}

function addDirectory(app: Hono, jobs: DirectoryJobs | undefined): void {
  const here = (): DirectoryJobs => {
    if (!jobs) throw notBundled();
    return jobs;
  };
  app.post('/directory/import', (c) => {
    const directory = here();
    const body = c.req.raw.body;
    if (!body) throw new Fault('malformed', 'the LDIF is missing');
    const wish = {
      file: c.req.query('file') ?? 'LDIF',
      dry: c.req.query('dry') === '1',
      replace: c.req.query('replace') === '1',
      dropUnknown: c.req.query('dropUnknown') === '1',
      keepPasswords: c.req.query('keepPasswords') === '1',
    };
    const ldif = body as unknown as AsyncIterable<Uint8Array>;
    return c.body(jsonLines<WholeImport>((telling) => directory.import({ ...wish, ldif }, telling)));
  });
  app.get('/directory/export', async (c) => {
    const flag = (name: string): boolean => c.req.query(name) === '1';
    const wish = { base: c.req.query('base') ?? '', filter: c.req.query('filter') ?? '' };
    const pieces = here().export({ ...wish, operational: flag('operational'), secrets: flag('secrets') });
    // What is wrong with the wish is known with the first piece: it is refused before anything is answered.
    const first = await pieces.next();
    return c.body(textStream(continued(first.done ? '' : first.value, pieces)));
  });
  app.get('/directory/check', async (c) => c.json(await here().check()));
}

async function* continued(first: string, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  yield first;
  yield* rest;
}
