/**
 * `mailtree modules [show|mark|unmark]`: the preprocessor's modules and for which ways of mail each of them runs.
 * Source: manual chapter 3, "Module Lists", "Channel Action Matrix"; checklist MTA-11
 */

import type { Command } from 'commander';
import { Fault, inputChannels, outputChannels } from '../../base/index.ts';
import { parseDn } from '../../ldap-wire/index.ts';
import type { Config, ModuleListed } from '../../main/index.ts';
import { asAdministrator } from '../administrator.ts';
import { askControl } from '../control-client.ts';
import { json, type Run, table } from '../program.ts';

interface Options {
  readonly json?: boolean;
}

export function addModuleCommands(program: Command, run: Run): void {
  const modules = program.command('modules').description('modules of the preprocessor, and for which ways of mail they run');
  modules
    .command('list', { isDefault: true })
    .description('the modules in the order in which they run')
    .option('--json', 'as JSON')
    .action(run(list));
  modules
    .command('show <name>')
    .description('a module with its Channel Action Matrix: input channels down, output channels across')
    .option('--json', 'as JSON')
    .action(run(show));
  const cells = 'SMTPD LOCAL; * stands for every channel';
  modules
    .command('mark <name> <input> <output>')
    .description(`the module runs for messages from this input channel to this output channel, as in ${cells}`)
    .action(run((config: Config, ...cell: [string, string, string]) => change(config, true, ...cell)));
  modules
    .command('unmark <name> <input> <output>')
    .description(`the module does not run for them, as in ${cells}`)
    .action(run((config: Config, ...cell: [string, string, string]) => change(config, false, ...cell)));
}

const listed = (config: Config): Promise<ModuleListed[]> => askControl<ModuleListed[]>(config, { path: '/modules' });

async function list(config: Config, options: Options): Promise<void> {
  const modules = await listed(config);
  if (options.json) json(modules);
  else
    table(
      ['module', 'version', 'runs for', 'description', 'file'],
      modules.map(({ name, version, matrix, description, file }) => [name, version, marked(matrix), description, file]),
    );
}

/** How much of the matrix is marked. */
function marked(matrix: readonly string[]): string {
  const count = cellsOf('*', '*').filter((cell) => matrix.includes(cell)).length;
  const all = inputChannels.length * outputChannels.length;
  return count === all ? 'all mail' : count === 0 ? 'no mail' : `${count} of ${all} ways`;
}

async function named(config: Config, name: string): Promise<ModuleListed> {
  const modules = await listed(config);
  const found = modules.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (!found) throw new Fault('not-found', `there is no module ${name}; there are ${modules.map((one) => one.name).join(', ')}`);
  return found;
}

async function show(config: Config, name: string, options: Options): Promise<void> {
  const module = await named(config, name);
  if (options.json) {
    json(module);
    return;
  }
  console.log(`${module.name} ${module.version}: ${module.description}`);
  console.log(`file      ${module.file}`);
  console.log(`settings  ${module.entry}\n`);
  table(
    ['', ...outputChannels],
    inputChannels.map((input) => [input, ...outputChannels.map((output) => (module.matrix.includes(`${input} ${output}`) ? 'x' : '.'))]),
  );
}

function channels<T extends string>(given: string, known: readonly T[], kind: string): readonly T[] {
  if (given === '*') return known;
  const found = known.find((one) => one === given.toUpperCase());
  if (!found) throw new Fault('malformed', `${given} is no ${kind} channel; there are ${known.join(', ')}, and * for all`);
  return [found];
}

function cellsOf(input: string, output: string): string[] {
  const outputs = channels(output, outputChannels, 'output');
  return channels(input, inputChannels, 'input').flatMap((one) => outputs.map((other) => `${one} ${other}`));
}

async function change(config: Config, mark: boolean, name: string, input: string, output: string): Promise<void> {
  const cells = cellsOf(input, output);
  const module = await named(config, name);
  const now = new Set(module.matrix.filter((cell) => cell !== 'none'));
  for (const cell of cells) mark ? now.add(cell) : now.delete(cell);
  // No value at all would be the default again.
  const values = now.size > 0 ? [...now] : ['none'];
  await asAdministrator(config, (client) =>
    client.modify(parseDn(module.entry), [{ operation: 'replace', attribute: { name: module.matrixAttribute, values } }]),
  );
  console.log(`${module.name} runs for ${marked(values)}`);
}
