/** `mailtree directory can WHO [RIGHT] DN [ATTRIBUTE]`: what the access rules say, and which of them says it. */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import type { AccessAnswer } from '../../directory/index.ts';
import { bundledOnly } from '../../main/index.ts';
import { askControl } from '../control-client.ts';
import { type Run, table } from '../program.ts';
import { directoryCommands } from './directory.ts';

const known = ['search', 'read', 'compare', 'write', 'selfwrite', 'add', 'delete', 'rename'];

export function addCanCommand(program: Command, run: Run): void {
  directoryCommands(program)
    .command('can <who> <right-or-dn> [dn] [attribute]')
    .usage('<who> [right] <dn> [attribute]')
    .description(
      `may somebody do something with an entry, and which access rule says so. WHO is a name (DN), an address or "anonymous"; rights are ${known.join(', ')}. Without a right: everything that is allowed.`,
    )
    .option('--json', 'as JSON')
    .action(
      run(
        async (config, who: string, first: string, second: string | undefined, third: string | undefined, options: { json?: boolean }) => {
          bundledOnly(config);
          // A right is one of a few words, and no name is.
          const named = known.includes(first.toLowerCase()) && second !== undefined;
          if (!named && !first.includes('='))
            throw new Fault('malformed', `"${first}" is neither a right (${known.join(', ')}) nor the name of an entry`);
          const [right, dn, attribute] = named ? [first, second, third] : [undefined, first, second];
          const answer = await askControl<AccessAnswer>(config, { path: '/directory/can', query: { who, dn, right, attribute } });
          if (options.json) console.log(JSON.stringify(answer, null, 2));
          else print(answer);
          if (answer.decisions.some(({ allowed }) => !allowed)) process.exitCode = 1;
        },
      ),
    );
}

function print({ who, standing, dn, remarks, decisions, entry, attributes }: AccessAnswer): void {
  console.log(`${who} (${standing})`);
  console.log(`${dn}\n`);
  if (decisions.length === 1) {
    for (const { right, attribute, allowed, why, steps } of decisions) {
      console.log(`${right} ${attribute}: ${allowed ? 'yes' : 'no'}, ${why}\n`);
      if (steps.length > 0)
        table(
          ['order', 'rule', ''],
          steps.map((step) => [String(step.order), step.rule, step.decides ? `${step.why}: this one decides` : step.why]),
        );
    }
  } else if (decisions.length > 1) {
    table(
      ['attribute', 'right', '', ''],
      decisions.map((one) => [one.attribute, one.right, one.allowed ? 'yes' : 'no', one.why]),
    );
  } else {
    console.log(`the entry as a whole: ${entry.join(', ') || 'nothing'}\n`);
    const columns = ['search', 'read', 'compare', 'write', 'selfwrite'] as const;
    table(
      ['attribute', ...columns],
      attributes.map((row) => [row.attribute, ...columns.map((right) => (row.rights.includes(right) ? 'yes' : '-'))]),
    );
  }
  for (const remark of remarks) console.log(`\n${remark}`);
}
