/** An import by way of the running server: over LDAP, or as a whole over the control socket. */

import { Fault } from '../../base/index.ts';
import { bundledOnly, type Config, loadSchemaOf, type WholeImport } from '../../main/index.ts';
import { type ImportSummary, importRecords, LdapTarget } from '../../transfer/index.ts';
import { asAdministrator } from '../administrator.ts';
import { streamControl } from '../control-client.ts';
import type { ImportRun } from './import.ts';

export async function importOnline(config: Config, run: ImportRun): Promise<ImportSummary> {
  if (run.flags.dryRun || run.flags.allOrNothing) return importWhole(config, run);
  const schema = await loadSchemaOf(config);
  return asAdministrator(config, (client) => importRecords(run.records(), { ...run.options, schema, target: new LdapTarget(client) }));
}

/** The server does it on a copy and tells line by line; at the end, all at once or not at all. */
async function importWhole(config: Config, run: ImportRun): Promise<ImportSummary> {
  bundledOnly(config);
  const { source, flags } = run;
  if (flags.fileUrls !== undefined) throw new Fault('unsupported', '--file-urls with --dry-run or --all-or-nothing needs a stopped server');
  const query = {
    file: source.name,
    ...(flags.dryRun ? { dry: '1' } : {}),
    ...(flags.replace ? { replace: '1' } : {}),
    ...(flags.dropUnknown ? { dropUnknown: '1' } : {}),
    ...(flags.keepPasswords ? { keepPasswords: '1' } : {}),
  };
  let summary: ImportSummary | undefined;
  for await (const told of streamControl<WholeImport>(config, { path: '/directory/import', query, body: source.chunks })) {
    if ('line' in told) run.show(told.line);
    else if ('note' in told) {
      run.progress.end();
      console.error(`note: ${told.note}`);
    } else if ('refused' in told) {
      run.progress.end();
      console.error(`refused: ${told.refused}`);
    } else if ('records' in told) run.progress.at(told.records);
    else summary = summaryOf(told.summary);
  }
  if (!summary) throw new Fault('unavailable', 'the server ended the import without saying how');
  return summary;
}

function summaryOf(told: Extract<WholeImport, { summary: unknown }>['summary']): ImportSummary {
  const { counts, refused, stopped, notTaken } = told;
  return { counts, refused, stopped: stopped && new Fault(stopped.kind, stopped.say), behind: undefined, notTaken: new Map(notTaken) };
}
