/** Whose mail is signed, and with which keys. */

import { expect, test } from '@jest/globals';
import { constant, ManualClock } from '../../src/base/index.ts';
import type { Recipient } from '../../src/dit/index.ts';
import { mailAuthSettings, makeKey, type StoredKey } from '../../src/mail-auth/index.ts';
import { createSigning } from '../../src/main/signing.ts';
import type { QueuedMessage } from '../../src/queue/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';

const key = makeKey('ed25519');
const stored = (domain: string, selector = 's'): StoredKey => ({ domain, selector, type: 'ed25519', privateKey: key.privateKey });
const ann = { mail: 'ann@jade.test', aliases: ['ann@Other.test'] } as unknown as Recipient;

function signing(keys: Readonly<Record<string, readonly StoredKey[]>>) {
  const asked: string[] = [];
  const dit = {
    signs: Object.keys(keys).length > 0,
    signingKeys: async (domain: string) => {
      asked.push(domain);
      return keys[domain] ?? [];
    },
    recipient: async (address: string) => (address === 'ann@jade.test' ? ann : undefined),
    domain: async (name: string) => {
      if (name === 'alias.test') return { dn: '', name, aliasOf: 'jade.test', subdomains: false, itself: true };
      if (name.endsWith('.jade.test')) return { dn: '', name: 'jade.test', aliasOf: undefined, subdomains: true, itself: true };
      return undefined;
    },
  };
  const sign = createSigning(dit, constant(defaultsOf(mailAuthSettings)), new ManualClock(0));
  let reads = 0;
  async function* content(from: string): AsyncIterable<Uint8Array> {
    reads += 1;
    yield Buffer.from(`From: ${from}\r\n\r\nHello\r\n`);
  }
  const signed = async (message: Partial<QueuedMessage>, from = 'ann@jade.test'): Promise<string[]> => {
    const fields = await sign({ inputChannel: 'SMTPD', origin: {}, ...message } as QueuedMessage, () => content(from));
    return [...fields.matchAll(/d=([^;]+);\r\n s=([^;]+);/g)].map((found) => `${found[2]}.${found[1]}`);
  };
  return { signed, asked, reads: () => reads };
}

const keys = {
  'jade.test': [stored('jade.test', 'a'), stored('jade.test', 'b')],
  'other.test': [stored('other.test')],
  'alias.test': [stored('alias.test')],
};
const byAnn = { origin: { login: 'ann@jade.test', user: 'mail=ann@jade.test,dc=jade,dc=test' }, authentication: 'trusted' as const };

test('a user has mail signed for the domains of the account, with every active key', async () => {
  const { signed } = signing(keys);
  expect(await signed(byAnn)).toEqual(['a.jade.test', 'b.jade.test']);
  expect(await signed(byAnn, 'ann@other.test')).toEqual(['s.other.test']);
  expect(await signed(byAnn, 'ann@alias.test')).toEqual(['s.alias.test']);
  expect(await signed(byAnn, 'x@sub.jade.test')).toEqual(['a.jade.test', 'b.jade.test']);
});

test('and for no other: not for that of another customer, not for an account that is gone', async () => {
  const { signed } = signing({ ...keys, 'bank.test': [stored('bank.test')] });
  expect(await signed(byAnn, 'boss@bank.test')).toEqual([]);
  expect(await signed({ ...byAnn, origin: { ...byAnn.origin, login: 'gone@jade.test' } })).toEqual([]);
  expect(await signed(byAnn, 'nobody@nowhere.test')).toEqual([]);
});

test('strangers, whatever they claim, get no signature; trusted hosts, programs and reports do', async () => {
  const { signed, reads } = signing(keys);
  for (const authentication of ['pass', 'fail', 'none', undefined] as const)
    expect(await signed({ ...(authentication ? { authentication } : {}) })).toEqual([]);
  expect(reads()).toBe(0);
  expect(await signed({ authentication: 'trusted' })).toHaveLength(2);
  expect(await signed({ origin: { protocol: 'local' } })).toHaveLength(2);
  expect(await signed({ inputChannel: 'LOCALOUT', origin: { protocol: 'report' } }, 'MAILER-DAEMON@mail.jade.test')).toHaveLength(2);
});

test('without any key nothing is read, and a domain of a registry is never asked about', async () => {
  const none = signing({});
  expect(await none.signed(byAnn)).toEqual([]);
  expect(none.reads()).toBe(0);
  const some = signing({ 'x.test': [stored('x.test')] });
  await some.signed({ authentication: 'trusted' }, 'a@b.c.example.co.uk');
  expect(some.asked).toEqual(['b.c.example.co.uk', 'c.example.co.uk', 'example.co.uk']);
});

test('a key that cannot be read is no reason to send without', async () => {
  const { signed } = signing({ 'jade.test': [{ ...stored('jade.test'), privateKey: 'AAAA' }] });
  await expect(signed(byAnn)).rejects.toThrow();
});
