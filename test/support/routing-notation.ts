/**
 * A directory in a line, for tables of routing cases. Words are separated by blanks:
 *
 *   ima.com  *.ima.com  ima.com+        local: the domain, only its sub-domains, both
 *   jade.net=ima.com                    another name of that domain
 *   abc.net->BSMTPOUT:abc@xyz.com       domain forwarding (channel, identifier)
 *   bart@ima.com                        a user; behind it, without blanks:
 *     (homer@ima.com,h@ima.com)           further addresses
 *     >x@far.net  >>x@far.net             mailForwardingAddress, mailRoutingAddress
 *     !disabled  !nologin  !send          status, permission of the account
 *     [LOCAL:identifier:permission]       a connector
 *   sales@ima.com{a@ima.com,b@ima.com}  an alias entry with its targets
 *   default:CCIN unknown:SMTPC internet:BSMTPOUT postmaster:a@b domain:a.b    settings of the MTA
 */

import type { OutputChannel } from '../../src/base/index.ts';
import type { Forwarding, MtaPolicy, Permission, Recipient } from '../../src/dit/index.ts';
import type { Routing } from '../../src/routing/index.ts';
import { FakeDit, type RecipientFacts } from './fake-dit.ts';

const settings: Record<string, keyof MtaPolicy> = {
  default: 'defaultLocalChannel',
  unknown: 'unknownLocalChannel',
  internet: 'internetChannel',
  postmaster: 'postmaster',
  domain: 'domain',
};

export function directoryOf(state: string): FakeDit {
  const dit = new FakeDit();
  for (const word of state.split(/\s+/).filter(Boolean)) add(dit, word);
  return dit;
}

function add(dit: FakeDit, word: string): void {
  const setting = /^(default|unknown|internet|postmaster|domain):(.+)$/.exec(word);
  const forwarding = /^([^@[\]]+)->([A-Z]+)(?::(.*))?$/.exec(word);
  const alias = /^([^@]+)=(.+)$/.exec(word);
  if (setting) dit.mta.set({ ...dit.mta.value, [settings[setting[1] ?? ''] ?? '']: setting[2] });
  else if (forwarding) dit.forward(forwarding[1] ?? '', forwarding[2] as Forwarding['channel'], forwarding[3]);
  else if (word.includes('@')) dit.add(entry(word));
  else if (alias) dit.local(alias[1] ?? '', { aliasOf: alias[2] ?? '' });
  else if (word.startsWith('*.')) dit.local(word.slice(2), { itself: false, subdomains: true });
  else if (word.endsWith('+')) dit.local(word.slice(0, -1), { subdomains: true });
  else dit.local(word);
}

function entry(word: string): RecipientFacts {
  const mail = /^(?:"[^"]*"|[^(>![{])+/.exec(word)?.[0] ?? word;
  const rest = word.slice(mail.length);
  const all = (pattern: RegExp): string[] => [...rest.matchAll(pattern)].map((match) => match[1] ?? '');
  const targets = /\{(.*)\}$/.exec(rest);
  const marks = all(/!(\w+)/g);
  const [routingAddress] = all(/>>([^>![(]+)/g);
  const connectors = all(/\[([^\]]+)\]/g).map((text) => {
    const [channel = '', identifier = '', permission = 'send-receive'] = text.split(':');
    return { channel: channel as OutputChannel, identifier, permission: permission as Permission };
  });
  return {
    mail,
    kind: targets ? 'alias' : 'user',
    aliases: all(/\(([^)]+)\)/g).flatMap((text) => text.split(',')),
    forwardTo: targets ? (targets[1] ?? '').split(',').filter(Boolean) : all(/(?<!>)>([^>![(]+)/g),
    routingAddress,
    status: (marks.find((mark) => mark !== 'send') ?? 'active') as Recipient['status'],
    permission: marks.includes('send') ? 'send' : 'send-receive',
    connectors,
  };
}

/** `LOCAL bart@ima.com` for a mailbox, `SMTPC far.net x@far.net`, `! 5.1.1`; the address is left out where the identifier says it. */
export function shown({ routes, refusals }: Routing): string {
  const ways = routes.map(({ queue, identifier, address }) => {
    const name = identifier.replace(/^uuid-/, '');
    return `${queue} ${name}${name === address ? '' : ` ${address}`}`;
  });
  return [...ways, ...refusals.map(({ status }) => `! ${status}`)].join(', ');
}
