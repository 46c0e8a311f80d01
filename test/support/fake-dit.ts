/** A directory view made of plain values, for rooms that ask routing questions. */

import { Fault, LiveValue } from '../../src/base/index.ts';
import type { Connector, Domain, Forwarding, MtaPolicy, Recipient } from '../../src/dit/index.ts';
import { addressKey } from '../../src/mail/index.ts';

export type RecipientFacts = Partial<Omit<Recipient, 'connectors'>> & {
  readonly mail: string;
  readonly connectors?: readonly (Partial<Connector> & Pick<Connector, 'channel'>)[];
};

export const policy: MtaPolicy = {
  host: 'mail.ima.com',
  domain: 'ima.com',
  defaultLocalChannel: 'LOCAL',
  unknownLocalChannel: 'bounce',
  internetChannel: 'SMTPC',
  postmaster: 'postmaster@ima.com',
  entry: 'cn=mta',
};

const sameAddress = (a: string, b: string): boolean => (addressKey(a) ?? a.toLowerCase()) === (addressKey(b) ?? b.toLowerCase());

export class FakeDit {
  readonly mta: LiveValue<MtaPolicy>;
  readonly recipients: Recipient[] = [];
  readonly domains: Domain[] = [];
  readonly forwardings: Forwarding[] = [];
  /** Addresses and keys the directory cannot answer for now. */
  readonly away = new Set<string>();
  /** Addresses that make a lookup fail as a bug would. */
  readonly broken = new Set<string>();

  constructor(over: Partial<MtaPolicy> = {}) {
    this.mta = new LiveValue({ ...policy, ...over });
  }

  add({ connectors = [], ...facts }: RecipientFacts): this {
    const dn = `mail=${facts.mail}`;
    this.recipients.push({
      dn,
      uuid: `uuid-${facts.mail}`,
      kind: 'user',
      aliases: [],
      forwardTo: [],
      routingAddress: undefined,
      status: 'active',
      displayName: undefined,
      quota: undefined,
      permission: 'send-receive',
      login: true,
      connectors: connectors.map((connector) => ({
        identifier: '',
        permission: 'send-receive',
        dn: `cn=${connector.channel},${dn}`,
        ...connector,
      })),
      ...facts,
    });
    return this;
  }

  local(name: string, over: Partial<Domain> = {}): this {
    this.domains.push({ name, dn: `dc=${name}`, aliasOf: undefined, subdomains: false, itself: true, ...over });
    return this;
  }

  forward(domain: string, channel: Forwarding['channel'], identifier = ''): this {
    this.forwardings.push({ dn: `cn=${domain},cn=forwarding`, domain, channel, identifier });
    return this;
  }

  /** Replaces what is known of a recipient. */
  change(mail: string, over: Partial<Recipient>): void {
    const at = this.recipients.findIndex((recipient) => recipient.mail === mail);
    const known = this.recipients[at];
    if (known) this.recipients[at] = { ...known, ...over };
  }

  async recipient(address: string): Promise<Recipient | undefined> {
    const wanted = address.toLowerCase();
    if (this.broken.has(wanted)) throw new TypeError('undefined is not a function');
    if (this.away.has(wanted)) throw new Fault('unavailable', 'the directory is away');
    return this.recipients.find(({ mail, aliases }) => [mail, ...aliases].some((own) => sameAddress(own, wanted)));
  }

  async recipientByUuid(uuid: string): Promise<Recipient | undefined> {
    if (this.away.has(uuid)) throw new Fault('unavailable', 'the directory is away');
    return this.recipients.find((recipient) => recipient.uuid === uuid);
  }

  async domain(name: string): Promise<Domain | undefined> {
    const wanted = name.toLowerCase();
    const above = this.domains.filter((domain) => domain.subdomains && wanted.endsWith(`.${domain.name}`));
    return this.domains.find((domain) => domain.itself && domain.name === wanted) ?? above.sort((a, b) => b.name.length - a.name.length)[0];
  }

  async forwarding(domain: string): Promise<Forwarding | undefined> {
    const name = domain.toLowerCase();
    const wild = this.forwardings.filter(({ domain: own }) => own.startsWith('*.') && name.endsWith(own.slice(1)));
    return this.forwardings.find((forwarding) => forwarding.domain === name) ?? wild.sort((a, b) => b.domain.length - a.domain.length)[0];
  }
}
