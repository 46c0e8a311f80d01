/**
 * Builds a server from the rooms and runs it.
 *
 * Promise: what cannot start ends the start with one Fault and everything opened before is closed again; `stop` ends the
 * components, then the databases.
 */

import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cancel, type Clock, LiveValue, type Log, makeFolders, systemClock } from '../base/index.ts';
import {
  type BundledDirectory,
  type Directory,
  type DirectorySettings,
  directorySettings,
  loadSchema,
  type Schema,
} from '../directory/index.ts';
import type { RemoteDirectory } from '../directory-remote/index.ts';
import { type OpenDit, openDit, serverSettings } from '../dit/index.ts';
import { parseDn } from '../ldap-wire/index.ts';
import { type OpenQueue, openQueue, type QueueName } from '../queue/index.ts';
import { components, Responder } from '../responder/index.ts';
import { createRouter, type Router } from '../routing/index.ts';
import { defaultsOf } from '../settings/index.ts';
import { smtpdSettings } from '../smtpd/index.ts';
import { type Blobs, type KeyValue, openBlobs, openDataDirectory, openKeyValue, Reclaimer } from '../storage/index.ts';
import { openStore, type Store, storeSettings } from '../store/index.ts';
import { type Certificate, openCertificate } from './certificate.ts';
import { addComponents } from './components.ts';
import { type Config, controlPath } from './config.ts';
import { type ExternalDirectory, notBundled } from './config-directory.ts';
import { openControl, type ServerStatus } from './control.ts';
import { differences } from './differences.ts';
import { directoryPath, openStoredDirectory } from './directory.ts';
import { DirectoryJobs } from './directory-jobs.ts';
import { explainFor, ownAddress } from './explain.ts';
import { beginExternal, checkSchema, fillExternal } from './external-directory.ts';
import { addNeeded, type FirstStart, fillDirectory, hostOf } from './first-start.ts';
import { createHandIn } from './hand-in.ts';
import { readHistory, undoChange } from './history.ts';
import { openLogs } from './logs.ts';
import { listModules } from './modules.ts';
import { serverTree } from './monitor/server-tree.ts';
import { createMonitor } from './monitor.ts';
import { handleOldLogs } from './old-logs.ts';
import { openDesk, queueDoor } from './queue/open-desk.ts';
import { reportRules } from './reports.ts';
import { keepTimeZone } from './time-zone.ts';
import { tlsQuestions } from './tls.ts';
import { version } from './version.ts';

export interface Server {
  readonly log: Log;
  status(): Promise<ServerStatus>;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Called once, on the first start, before anything listens. */
  readonly firstStart: (first: FirstStart) => void;
  /** One line about what the start found: recovery. */
  readonly print: (line: string) => void;
  /** Called once everything is open, before components are started: from here on `stop` ends it all, the start included. */
  readonly stoppable?: (stop: () => Promise<void>) => void;
}

/** What the rooms share; made by `open`, in order, and closed in reverse. */
export interface Parts {
  readonly config: Config;
  readonly logs: (component: string) => Log;
  readonly schema: Schema;
  readonly directory: Directory;
  /** The bundled directory, where that is the directory; its door and its history are there only then. */
  readonly bundled: BundledDirectory | undefined;
  /** The way to an external directory, where that is the directory. */
  readonly external: RemoteDirectory | undefined;
  /** The database of the bundled directory. */
  readonly bundledStore: KeyValue | undefined;
  readonly dit: OpenDit;
  readonly keyValue: KeyValue;
  readonly blobs: Blobs;
  readonly queue: OpenQueue;
  readonly store: Store;
  readonly router: Router;
  readonly certificate: Certificate;
  readonly freeSpace: () => Promise<number>;
  /** What keeps databases from being written now. */
  readonly databaseProblems: () => readonly string[];
}

export async function startServer(config: Config, options: StartOptions): Promise<Server> {
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return await build(config, options, (close) => closers.push(close), closeAll);
  } catch (thrown) {
    await closeAll();
    throw thrown;
  }
}

async function build(
  config: Config,
  options: StartOptions,
  onClose: (close: () => Promise<void> | void) => void,
  closeAll: () => Promise<void>,
): Promise<Server> {
  const startedAt = systemClock.now();
  // Everything below the data directory is the server's own: mail, passwords, keys.
  process.umask(0o077);
  const data = await openDataDirectory(config.data);
  onClose(() => data.close());
  makeFolders(join(config.data, 'run'));
  await keepTimeZone(config.data);
  const written = openLogs(config.logs);
  onClose(() => written.close());
  const logs = written.of;
  const log = logs('Server');
  let ready = false;
  onClose(() => {
    if (ready) log.message(`Mailtree ${version} has stopped`);
  });
  for (const line of data.recovered) {
    options.print(line);
    log.warning(line);
  }
  const parts = await openParts(config, options, logs, onClose, closeAll);
  const server = parts.dit.settings(serverSettings);
  written.follow(server);
  onClose(handleOldLogs(written, { ...parts, settings: server, mta: parts.dit.mta, clock: systemClock, log }));

  const responder = new Responder({ log: logs('Responder'), clock: systemClock, ended: (name) => givenBack(parts.queue, name) });
  // Who watches us shall see that we are stopping, and not that we are gone while others are still served.
  onClose(() => responder.stopAll({ all: true, last: 'WEB' }));
  const smtpd = parts.dit.settings(smtpdSettings);
  const minFree = (): number => smtpd.value.driveMin * 1_048_576;
  const about = { ...parts, responder, minFree, directoryFolder: folderOf(parts), startedAt };
  const monitor = createMonitor({ ...about, clock: systemClock });
  onClose(() => monitor.close());
  const reports = reportRules(parts);
  const desk = openDesk(parts, reports);
  parts.bundled?.useMonitor(serverTree({ ...about, monitor, desk }));
  const { preprocessor, smtpc, resolver } = addComponents(responder, parts, { monitor, queue: queueDoor(desk, parts), reports });
  logDifferences(parts, log);
  const status = async (): Promise<ServerStatus> => ({
    version,
    pid: process.pid,
    host: parts.dit.mta.value.host,
    startedAt,
    components: responder.status(),
    queues: await parts.queue.summary(),
    memory: process.memoryUsage.rss(),
    writable: parts.databaseProblems().length === 0,
    problems: parts.databaseProblems(),
    ...(parts.external ? { directory: parts.external.status } : {}),
  });
  const control = await openControl(controlPath(config), {
    responder,
    queue: parts.queue,
    desk,
    history: async (question) => readHistory(bundledOf(parts), question, systemClock.now()),
    undo: async (change, how) => undoChange(bundledOf(parts), change, how),
    explain: explainFor(parts.dit, parts.router, config.systemBase, {
      resolver,
      smtpc,
      keyValue: parts.keyValue,
      log: parts.logs('Server'),
    }),
    tls: tlsQuestions({ desk: smtpc.tls, resolver, mta: parts.dit.mta, certificate: parts.certificate }),
    can: async (question) => bundledOf(parts).explainAccess(question),
    refreshView: () => parts.dit.refresh(),
    status,
    modules: () => listModules(preprocessor.modules, config.systemBase),
    smtpc,
    handIn: createHandIn({
      ...parts,
      mta: parts.dit.mta,
      maxSize: () => smtpd.value.maxMessageSize,
      minFree,
      clock: systemClock,
      log: logs('Sendmail'),
    }),
    directory: jobsOf(parts),
    log: logs('Control'),
  });
  onClose(() => control.close());
  options.stoppable?.(closeAll);
  await responder.startAll();
  ready = true;
  log.message(`Mailtree ${version} has started, pid ${process.pid}`);
  onClose(() => log.message(`Mailtree ${version} stops`));
  return { log, status, stop: closeAll };
}

/** What the configuration file says and the directory says otherwise: the directory counts, and somebody may be surprised by it. */
function logDifferences({ config, dit }: Parts, log: Log): void {
  const server = dit.settings(serverSettings).value;
  const doors = {
    ...dit.settings(components.SMTPD).value,
    ...dit.settings(components.IMAPD).value,
    ...dit.settings(components.POP3D).value,
  };
  for (const line of differences(config, { ...server, ...doors })) log.warning(line);
}

async function openParts(
  config: Config,
  options: StartOptions,
  logs: (component: string) => Log,
  onClose: (close: () => Promise<void> | void) => void,
  closeAll: () => Promise<void>,
): Promise<Parts> {
  const clock = systemClock;
  // The directory's own settings stand in the directory: the defaults hold until it is open.
  const settings = new LiveValue(defaultsOf(directorySettings));
  const opening = { config, options, settings, log: logs('Directory Services'), onClose, closeAll };
  const opened = config.directory ? await openExternal(opening, config.directory) : await openBundled(opening);
  const { directory } = opened;
  const dit = await openDit({
    directory,
    systemBase: parseDn(config.systemBase),
    domainBase: parseDn(config.domainBase),
    elsewhere: config.suffixes.map(parseDn),
    host: config.directory ? config.host : await hostOf(directory, config),
    untrusted: config.directory !== undefined,
    log: logs('Directory Services'),
    clock,
  });
  onClose(() => dit.close());
  const live = dit.settings(directorySettings);
  settings.set(live.value);
  live.onChange((value) => settings.set(value));

  const certificate = await openCertificate({ data: config.data, host: config.host, clock, log: logs('Server') });
  onClose(() => certificate.close());
  const keyValue = await openKeyValue({ path: join(config.data, 'mail'), clock, log: logs('Storage') });
  onClose(() => keyValue.close());
  const blobs = await openBlobs({ path: join(config.data, 'blobs'), clock, log: logs('Storage') });
  onClose(() => blobs.close());
  const queue = await openQueue({ keyValue, clock, log: logs('MQ Router'), random: Math.random, epoch: randomBytes(8).toString('hex') });
  onClose(() => queue.close());
  // What waited because nobody could say whose it is need not wait for its turn.
  const stopRetrying = opened.external?.onBack(() => {
    for (const name of ['INPUT', 'LOCAL'] as const)
      queue.retryNow(name).catch((thrown: unknown) => logs('MQ Router').warning('mail that waits cannot be hastened', thrown));
  });
  onClose(() => stopRetrying?.());
  const store = await openStore({ keyValue, blobs, clock, log: logs('Message Store'), settings: dit.settings(storeSettings) });
  onClose(() => store.close());
  onClose(reclaimRegularly(new Reclaimer({ keyValue, blobs, clock, log: logs('Storage') }), clock, logs('Storage')));
  const databaseProblems = (): string[] => [opened.bundledStore?.problem, keyValue.problem].flatMap((problem) => problem ?? []);
  const freeSpace = async (): Promise<number> => {
    const space = await statfs(config.data);
    return space.bavail * space.bsize;
  };
  return {
    config,
    logs,
    ...opened,
    dit,
    keyValue,
    blobs,
    queue,
    store,
    router: createRouter({ dit, isOwnAddress: ownAddress(dit) }),
    certificate,
    freeSpace,
    databaseProblems,
  };
}

const queueOf: Readonly<Record<string, QueueName>> = { PREPROCESSOR: 'INPUT', LMDA: 'LOCAL', SMTPC: 'SMTPC' };

/** A component that is no more has nothing in hand: what it had waits for its next start. */
async function givenBack(queue: OpenQueue, component: string): Promise<void> {
  const name = queueOf[component];
  if (name !== undefined) await queue.giveBack(name);
}

/** Where the bundled directory's database stands. */
function folderOf({ bundled, config }: Parts): string | undefined {
  return bundled && directoryPath(config);
}

/** Import, export and check as a whole: of the bundled directory alone. */
function jobsOf({ config, schema, bundled, bundledStore }: Parts): DirectoryJobs | undefined {
  return bundled && bundledStore && new DirectoryJobs(config, schema, { directory: bundled, keyValue: bundledStore });
}

/** For what only the bundled directory has: history, access rules. */
function bundledOf({ bundled }: Parts): BundledDirectory {
  if (!bundled) throw notBundled();
  return bundled;
}

interface Opening {
  readonly config: Config;
  readonly options: StartOptions;
  readonly settings: LiveValue<DirectorySettings>;
  readonly log: Log;
  readonly onClose: (close: () => Promise<void> | void) => void;
  readonly closeAll: () => Promise<void>;
}

type Opened = Pick<Parts, 'schema' | 'directory' | 'bundled' | 'bundledStore' | 'external'>;

/** The bundled directory; what it holds at the first start. */
async function openBundled({ config, options, settings, log, onClose }: Opening): Promise<Opened> {
  const { schema, directory: bundled, keyValue } = await openStoredDirectory(config, { settings, clock: systemClock, log, onClose });
  const first = await fillDirectory(bundled, config);
  if (first) options.firstStart(first);
  else await addNeeded(bundled, config);
  return { schema, directory: bundled, bundled, bundledStore: keyValue, external: undefined };
}

/** An external directory: waited for; whoever stops the server meanwhile need not wait. */
async function openExternal({ config, options, settings, log, onClose, closeAll }: Opening, external: ExternalDirectory): Promise<Opened> {
  const { directory, ready } = beginExternal({ config, external, settings, log });
  onClose(() => directory.close());
  options.stoppable?.(closeAll);
  // Timers do not keep the process alive, and nothing else is open yet.
  const alive = setInterval(() => {}, 60_000);
  await ready.finally(() => clearInterval(alive));
  const schema = await loadSchema();
  checkSchema(directory, schema, log);
  const first = await fillExternal(directory, config);
  if (first) options.firstStart(first);
  return { schema, directory, bundled: undefined, bundledStore: undefined, external: directory };
}

/** How often space of messages that nobody has any more is given back. */
const reclaimEvery = 600_000;
/** Every so many times all blobs are looked through: a crash may leave bytes that nothing ever referred to. */
const sweepEach = 144;

function reclaimRegularly(reclaimer: Reclaimer, clock: Clock, log: Log): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve();
  let turn = 0;
  let cancel: Cancel = () => {};
  const again = (): void => {
    cancel = clock.after(reclaimEvery, () => {
      turn++;
      running = (turn % sweepEach === 0 ? reclaimer.sweep() : reclaimer.run())
        .catch((thrown: unknown) => log.error('space could not be given back', thrown))
        .then(again);
    });
  };
  again();
  return async () => {
    cancel();
    await reclaimer.stop();
    await running;
    cancel();
  };
}
