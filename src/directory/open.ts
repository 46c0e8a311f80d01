/**
 * Builds the bundled directory from its parts.
 */

import { randomBytes } from 'node:crypto';
import type { Clock, Live, Log } from '../base/index.ts';
import { type Dn, parseDn } from '../ldap-wire/index.ts';
import type { KeyValue } from '../storage/index.ts';
import { Judge } from './access/judge.ts';
import { lastResortStays, understoodRules } from './access/write-rules.ts';
import { BundledDirectory } from './bundled.ts';
import { ComputedReader } from './computed/reader.ts';
import { Feed } from './history/feed.ts';
import { History } from './history/history.ts';
import { Trimming } from './history/trimming.ts';
import { ensureUsage } from './limits/recount.ts';
import { type Hasher, workerHasher } from './passwords/hasher.ts';
import { Logins } from './passwords/login.ts';
import { mustChange } from './passwords/policy.ts';
import { Standings } from './passwords/standing.ts';
import { InFlight } from './records/in-flight.ts';
import { extendedTable, settingsEntry } from './records/index-table.ts';
import { Indexes, type IndexTable } from './records/indexes.ts';
import { keys } from './records/keys.ts';
import { Merger } from './records/merge.ts';
import { ensureIndexes } from './records/rebuild.ts';
import { View } from './records/view.ts';
import { nameBy } from './schema/naming.ts';
import type { Schema } from './schema/schema.ts';
import { Compiler } from './search/evaluate.ts';
import { IndexReader } from './search/index-reader.ts';
import { Planner } from './search/plan.ts';
import { Searcher } from './search/search.ts';
import { Selector } from './search/select.ts';
import type { DirectorySettings } from './settings.ts';
import { Lineage } from './sync/lineage.ts';
import { Synchroniser } from './sync/synchroniser.ts';
import { reportVanished } from './vanished.ts';
import { References } from './write/references.ts';
import { isListMember, uniqueAddresses, type WriteRule } from './write/rules.ts';
import { Undo } from './write/undo.ts';
import { Writer } from './write/writer.ts';

export interface DirectoryOptions {
  /** A database of its own, in this process (`getNow` must work). Closing it is the caller's business. */
  readonly keyValue: KeyValue;
  readonly schema: Schema;
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
  readonly log: Log;
  /** Base of the system tree (default `cn=mailtree`). */
  readonly systemBase?: Dn;
  /** Further entries that may stand without a parent; `dc=` entries always may. */
  readonly suffixes?: readonly Dn[];
  /** Trees whose entries mention addresses and own none: an address need not be unique there. */
  readonly elsewhere?: readonly Dn[];
  /** Rules of the platform, beside the schema's and the uniqueness of addresses. */
  readonly rules?: readonly WriteRule[];
  /** Attributes that hold addresses (default mail, mailLocalAddress, mtMailAddress). */
  readonly addressAttributes?: readonly string[];
  /** Attributes to index beside the default ones, or other kinds for those. */
  readonly indexes?: IndexTable;
  /** Hashing of passwords (default: workers). */
  readonly hasher?: Hasher;
}

/** Made once, and kept where the entries are. */
async function ownSecret(keyValue: KeyValue): Promise<Uint8Array> {
  const fresh = randomBytes(32);
  return keyValue.transact<Uint8Array>(async (reader) => {
    const kept = await reader.get(keys.secret);
    return kept ? { result: kept } : { puts: [[keys.secret, fresh]], result: fresh };
  }, 'durable');
}

/** Opens the directory: brings indexes up to date if their table changed, reads the access rules, starts trimming history. */
export async function openDirectory(options: DirectoryOptions): Promise<BundledDirectory> {
  const { keyValue, schema, settings, clock, log } = options;
  nameBy(schema);
  const systemBase = options.systemBase ?? parseDn('cn=mailtree');
  const adminsBase = parseDn(`cn=admins,${systemBase.toString()}`);
  for (const note of schema.notes) log.warning(`schema: ${note}`);
  await reportVanished(keyValue, schema, log);
  const view = new View(keyValue);
  const table = extendedTable(view.find(settingsEntry(systemBase.toString()))?.entry, schema, (text) => log.warning(text));
  const indexes = new Indexes(schema, { ...table, ...options.indexes });
  await ensureIndexes(keyValue, indexes, log);
  await ensureUsage(keyValue);
  const judge = new Judge({
    schema,
    systemBase,
    anonymousReads: () => settings.value.anonymousRead,
    entry: (dn) => view.find(dn)?.entry,
    mustChange: (entry) => mustChange(entry, settings.value, clock.now()) !== undefined,
  });
  const selector = new Selector(
    schema,
    (id) => view.childCount(id),
    (id) => view.usage(id),
  );
  const compiler = new Compiler(schema, (stored, name) => selector.computed(stored, name));
  const planner = new Planner({ indexes, reader: new IndexReader({ keyValue, view, pending: indexes.pending }) });
  const merger = new Merger({ keyValue, indexes, clock, log });
  const searcher = new Searcher({ schema, keyValue, view, judge, compiler, planner, selector, settings, clock, log });
  const addresses = options.addressAttributes ?? ['mail', 'mailLocalAddress', 'mtMailAddress'];
  const elsewhere = options.elsewhere ?? [];
  const unique = uniqueAddresses({
    attributes: addresses.filter((name) => schema.attribute(name)),
    except: (entry) => isListMember(entry) || elsewhere.some((dn) => entry.dn.isWithin(dn)),
  });
  const suffixes = [systemBase, ...(options.suffixes ?? [])];
  const writer = new Writer({
    schema,
    indexes,
    subtreeLimit: () => settings.value.subtreeLimit,
    judge,
    rules: [unique, understoodRules({ schema, compiler }), lastResortStays(systemBase), ...(options.rules ?? [])],
    suffixes,
    settings: () => settings.value,
  });
  const hasher = options.hasher ?? workerHasher();
  const references = new References({ schema, writer, judge, most: () => settings.value.subtreeLimit });
  const history = new History({ keyValue, view, schema });
  const feed = new Feed({ keyValue, view, log });
  const lineage = await Lineage.open(keyValue, view.change());
  const accessBase = parseDn(`cn=access,${systemBase.toString()}`);
  const synchroniser = new Synchroniser({
    ...{ keyValue, view, schema, judge, compiler, selector, searcher, feed, lineage, accessBase },
    refreshRights: () => directory.refresh(),
  });
  const standings = new Standings((dn) => view.find(dn)?.entry);
  const trimming = new Trimming({ keyValue, settings, clock, log });
  const directory: BundledDirectory = new BundledDirectory({
    keyValue,
    view,
    schema,
    judge,
    compiler,
    searcher,
    computed: new ComputedReader({ schema, judge, compiler, selector, settings, clock }),
    selector,
    writer,
    indexes,
    merger,
    inFlight: new InFlight(keyValue, view),
    feed,
    synchroniser,
    history,
    standings,
    references,
    undo: new Undo({ keyValue, schema, writer, history, references }),
    passwords: { schema, hasher, settings: () => settings.value },
    systemBase,
    clock,
    log,
    subtreeLimit: () => settings.value.subtreeLimit,
    closing: async () => {
      await trimming.stop();
      await merger.close();
      await hasher.close();
    },
  });
  directory.useLogins(
    new Logins({
      hasher,
      settings,
      clock,
      log,
      standings,
      find: (dn) => view.find(dn)?.entry,
      note: (dn, modifications) => directory.note(dn, modifications),
      spared: (dn) => dn.isWithin(adminsBase),
      secret: await ownSecret(keyValue),
    }),
  );
  await directory.refresh();
  trimming.start();
  return directory;
}
