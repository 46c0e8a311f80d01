/** `mailtree explain ADDRESS`: where mail for an address would go, and why. Source: checklist MTA-23 */

import type { Command } from 'commander';
import type { Routing } from '../../routing/index.ts';
import { askControl } from '../control-client.ts';
import type { Run } from '../program.ts';

export function addExplainCommand(program: Command, run: Run): void {
  program
    .command('explain <address>')
    .description('where mail for the address would go: every step and the entry that decided it; nothing is sent')
    .option('--sender <address>', 'as if sent by this address')
    .option('--json', 'as JSON')
    .action(
      run(async (config, address: string, options: { sender?: string; json?: boolean }) => {
        const routing = await askControl<Routing>(config, { path: '/explain', query: { address, sender: options.sender } });
        if (options.json) console.log(JSON.stringify(routing, null, 2));
        else print(address, routing);
      }),
    );
}

function print(address: string, routing: Routing): void {
  for (const step of routing.steps) {
    console.log(`${step.address}: ${step.text}`);
    if (step.entry !== undefined) console.log(`    by ${step.entry}`);
  }
  console.log('');
  for (const route of routing.routes) console.log(`${address} -> ${route.queue} ${route.identifier} (as ${route.address})`);
  for (const refusal of routing.refusals) console.log(`${refusal.address}: refused, ${refusal.status} ${refusal.text}`);
}
