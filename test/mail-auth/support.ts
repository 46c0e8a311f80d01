/** A DNS of names and records, and an examination of a whole message at once. */

import { constant, type DnsAnswer, ManualClock } from '../../src/base/index.ts';
import {
  type Conclusion,
  createMailAuthentication,
  type DomainRule,
  type MailAuthSettings,
  mailAuthSettings,
} from '../../src/mail-auth/index.ts';
import type { Lookup } from '../../src/mail-auth/resolver.ts';
import { defaultsOf } from '../../src/settings/index.ts';

/** `TXT name`: records, or `away` for a server that does not answer. */
export type Zone = Readonly<Record<string, readonly string[] | 'away'>>;

export function dnsOf(zone: Zone, asked: string[] = []): Lookup {
  const names = new Map(Object.entries(zone).map(([key, value]) => [key.toLowerCase(), value]));
  const answer = (type: string, name: string): DnsAnswer<string> => {
    asked.push(`${type} ${name}`);
    const here = names.get(`${type} ${name}`.toLowerCase());
    if (here === 'away') return { outcome: 'temporary', reason: 'the name server is away' };
    if (here) return { outcome: 'found', records: here, ttl: 60 };
    const exists = [...names.keys()].some((key) => key.endsWith(` ${name.toLowerCase()}`));
    return { outcome: exists ? 'none' : 'no-such-domain', ttl: 60 };
  };
  return {
    txt: async (name) => answer('TXT', name),
    ipv4: async (name) => answer('A', name),
    ptr: async (address) => answer('PTR', address),
    addresses: async (name) => {
      const [four, six] = [answer('A', name), answer('AAAA', name)];
      const records = [four, six].flatMap((one) => (one.outcome === 'found' ? one.records : []));
      return records.length > 0 ? { outcome: 'found', records, ttl: 60 } : four.outcome === 'temporary' ? four : six;
    },
    mx: async (name) => {
      const got = answer('MX', name);
      return got.outcome === 'found' ? { ...got, records: got.records.map((exchange) => ({ preference: 10, exchange })) } : got;
    },
  };
}

export interface Asked {
  readonly zone?: Zone;
  readonly lookup?: Lookup;
  readonly settings?: Partial<MailAuthSettings>;
  readonly rules?: readonly Partial<DomainRule>[];
  readonly address?: string;
  readonly helo?: string;
  readonly sender?: string;
  readonly outside?: boolean;
  readonly random?: number;
  readonly now?: number;
  /** Octets in each piece that is handed over; all at once unless given. */
  readonly pieces?: number;
  readonly clock?: ManualClock;
}

export interface Examined extends Conclusion {
  /** What is kept of the message. */
  readonly kept: string;
  readonly tooLong: boolean;
}

export async function examine(message: string | Buffer, asked: Asked = {}): Promise<Examined> {
  const bytes = typeof message === 'string' ? Buffer.from(message.replace(/\r?\n/g, '\r\n')) : message;
  const clock = asked.clock ?? new ManualClock(asked.now ?? Date.UTC(2018, 5, 10, 14));
  const authentication = createMailAuthentication({
    lookup: asked.lookup ?? dnsOf(asked.zone ?? {}),
    clock,
    random: () => asked.random ?? 0,
    host: () => 'mx.example.org',
    settings: constant({ ...defaultsOf(mailAuthSettings), ...asked.settings }),
    ruleOf: (domain) => {
      const rule = asked.rules?.find((one) => domain === one.domain || domain.endsWith(`.${one.domain}`));
      return rule && { dn: `cn=${rule.domain}`, domain, dmarcFail: undefined, spfFail: undefined, mustPass: false, ...rule };
    },
  });
  const { address = '192.0.2.1', helo = 'client.example.net', sender = 'joe@football.example.com' } = asked;
  const examination = authentication.begin({ address, helo, sender }, asked.outside ?? true);
  if (!examination) return { kept: bytes.toString('latin1'), header: '', summary: '', decision: undefined, tooLong: false };
  const kept: Uint8Array[] = [];
  const step = asked.pieces ?? Math.max(1, bytes.length);
  for (let at = 0; at < bytes.length; at += step) kept.push(Buffer.from(examination.push(bytes.subarray(at, at + step))));
  kept.push(examination.last());
  return { ...(await examination.end()), kept: Buffer.concat(kept).toString('latin1'), tooLong: examination.tooLong };
}

/** RFC 8463 appendix A: one message with two signatures. */
export const football = `DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
`;

export const footballZone: Zone = {
  'TXT brisbane._domainkey.football.example.com': ['v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='],
  'TXT test._domainkey.football.example.com': [
    'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB',
  ],
};

export const words = ({ header }: Conclusion): string => header.replace(/\r\n\s+/g, ' ');
