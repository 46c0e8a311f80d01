/** `mailtree explain ADDRESS`: where mail for an address would go, and why. Source: checklist MTA-23 */

import type { Command } from 'commander';
import type { Route } from '../../routing/index.ts';
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
        const route = await askControl<Route>(config, { path: '/explain', query: { address, sender: options.sender } });
        if (options.json) console.log(JSON.stringify(route, null, 2));
        else print(address, route);
      }),
    );
}
