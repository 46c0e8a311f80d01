/** `mailtree explain ADDRESS`: where mail for an address would go, and why. Source: checklist MTA-23 */

import type { Command } from 'commander';
import type { Explanation, HostView, Ruling, Step } from '../../routing/index.ts';
import { askControl } from '../control-client.ts';
import { json, type Run, say } from '../program.ts';

interface ExplainOptions {
  readonly sender?: string;
  readonly client?: string;
  readonly json?: boolean;
}

export function addExplainCommand(program: Command, run: Run): void {
  program
    .command('explain <address>')
    .description('where mail for the address would go: every rule, the entry that decided it, and why the others did not; nothing is sent')
    .option('--sender <address>', 'as if sent by this address ("" is the null sender)')
    .option('--client <ip>', 'as if handed in by this network address: what it may connect for, and whether it may relay')
    .option('--json', 'as JSON')
    .action(
      run(async (config, address: string, { sender, client, json: asJson }: ExplainOptions) => {
        const explained = await askControl<Explanation>(config, { path: '/explain', query: { address, sender, client } });
        if (asJson) json(explained);
        else print(address, explained);
      }),
    );
}

function print(address: string, { steps, routes, refusals, nextHosts, sender, client, notAsked = [] }: Explanation): void {
  for (const step of steps) printStep(step);
  say('');
  for (const route of routes) say(`${address} -> ${route.queue} ${route.identifier} (as ${route.address})`);
  for (const refusal of refusals) say(`${refusal.address}: refused, ${refusal.status} ${refusal.text}`);
  for (const host of nextHosts) printPeer(host, outbound(host));
  if (sender) {
    say(`\nsender ${sender.address === '' ? '<>' : sender.address}`);
    printRuling('may send', sender.send);
  }
  if (client) {
    say(`\nclient ${client.host}`);
    printPeer(client, inbound(client));
    printRuling('may connect', client.connect);
    if (client.mail) printRuling('may send mail', client.mail);
    printRuling('may relay', client.relay);
    printRuling('may send to this recipient', client.recipient);
  }
  if (notAsked.length > 0) say(`not asked: ${notAsked.join('; ')}`);
}

function printStep({ address, rule, text, entry, applied }: Step): void {
  say(`${applied ? '' : '  not '}${address}: ${rule}: ${text}`);
  if (entry !== undefined) say(`    by ${entry}`);
}

function printRuling(what: string, { allowed, text, by }: Ruling): void {
  say(`  ${what}: ${allowed ? 'yes' : 'no'}, ${text}`);
  if (by !== undefined) say(`    by ${by}`);
}

/** What is agreed and worth a line, and the entries that say it for this peer alone. */
function printPeer(host: HostView, facts: readonly (readonly [keyof HostView['saidBy'], string])[]): void {
  if (host.way !== undefined) say(`  ${host.way}`);
  say(`  peer of ${host.host}: ${host.peer}`);
  for (const [key, text] of facts) {
    const by = host.saidBy[key];
    // What holds for everybody needs no entry behind every line.
    say(`    ${text}${by === undefined || /^cn=default,/i.test(by) ? '' : `, by ${by}`}`);
  }
}

const size = (octets: number): string => (octets === 0 ? 'no limit of its own' : `at most ${octets} octets`);

const outbound = (host: HostView): [keyof HostView['saidBy'], string][] => [
  ['transmit', host.transmit ? 'mail is sent there' : 'no mail is sent there: it goes back to its sender (5.7.1)'],
  ['outboundSize', `message size: ${size(host.outboundSize)}`],
  ['queueFirst', host.queueFirst ? 'mail waits for the queue run first' : 'tried at once'],
  ['queueInterval', `queue run every ${host.queueInterval} minutes`],
  ['retryPeriod', `given up after ${host.retryPeriod} hours`],
  ['sessions', `at most ${host.sessions} sessions`],
  ['messagesPerSession', `at most ${host.messagesPerSession} messages in each`],
  ['tls', `encryption: ${host.tls === 'smtpc' ? 'as cn=smtpc says' : host.tls}`],
];

const inbound = (host: HostView): [keyof HostView['saidBy'], string][] => [['inboundSize', `message size: ${size(host.inboundSize)}`]];
