/** `mailtree repair DATABASE`: a database that does not open any more, made readable again. */

import type { Command } from 'commander';
import type { Config } from '../../main/index.ts';
import { repairStored } from '../../main/index.ts';
import type { Run } from '../program.ts';

const next: Readonly<Record<string, string>> = {
  mail: 'next: dbupdate -r, then start the server',
  directory: 'next: mailtree directory check, then start the server',
};

export function addRepairCommand(program: Command, run: Run): void {
  program
    .command('repair <database>')
    .description('make a database that does not open (mail or directory) readable again; the server must not run')
    .action(
      run(async (config: Config, name: string) => {
        const { records, kept } = await repairStored(config, name);
        if (kept === undefined) console.log(`the database ${name} opens, with ${records} records: nothing was changed`);
        else
          for (const line of [`the database ${name} is repaired, with ${records} records; the old one is ${kept}`, next[name]])
            console.log(line);
      }),
    );
}
