/** An LDAP door over a fake directory, and a client of raw octets to try it with. */

import { generateKeyPairSync } from 'node:crypto';
import { type AddressInfo, connect, type Socket } from 'node:net';
import forge from 'node-forge';
import { constant, LiveValue, ManualClock, silentLog } from '../../src/base/index.ts';
import { system } from '../../src/directory/index.ts';
import {
  type Control,
  decodeResponse,
  encodeRequest,
  Framer,
  type Message,
  parseFilter,
  type Request,
  type Response,
} from '../../src/ldap-wire/index.ts';
import { createLdapd, type Ldapd, type LdapdOptions, type LdapdSettings, ldapdSettings, type TlsMaterial } from '../../src/ldapd/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { FakeDirectory } from './fake-directory.ts';

export interface Door {
  readonly door: Ldapd;
  readonly port: number;
  readonly directory: FakeDirectory;
  readonly settings: LiveValue<LdapdSettings>;
  readonly tls: LiveValue<TlsMaterial>;
  readonly clock: ManualClock;
  client(): Promise<RawLdap>;
  /** Ends the clients and the door. */
  end(): Promise<void>;
}

export async function openDoor(more: Partial<LdapdOptions> = {}, changed: Partial<LdapdSettings> = {}): Promise<Door> {
  const directory = new FakeDirectory();
  directory.put('dc=jade,dc=net', { objectClass: ['top', 'domain'], dc: ['jade'] });
  for (const n of [1, 2, 3]) {
    directory.put(`mail=user${n}@jade.net,dc=jade,dc=net`, {
      objectClass: ['top', 'inetOrgPerson'],
      mail: [`user${n}@jade.net`],
      cn: [`Üser ${n}`],
      sn: ['Üser'],
      jpegPhoto: [Uint8Array.of(0xff, 0xd8, n)],
      userPassword: [`secret${n}`],
    });
  }
  const settings = new LiveValue<LdapdSettings>({ ...defaultsOf(ldapdSettings), ...changed });
  const tls = new LiveValue<TlsMaterial>(undefined);
  const clock = new ManualClock();
  const door = createLdapd({
    directory,
    settings,
    tls,
    clock,
    listen: { ldap: constant({ host: '127.0.0.1', port: 0 }) },
    external: system('ldapi'),
    log: silentLog,
    ...more,
  });
  await door.start(() => {});
  const port = (door.addresses().ldap as AddressInfo).port;
  const clients: RawLdap[] = [];
  return {
    door,
    port,
    directory,
    settings,
    tls,
    clock,
    async client() {
      const client = await RawLdap.connect(port);
      clients.push(client);
      return client;
    },
    async end() {
      for (const client of clients) client.socket.destroy();
      await door.stop();
    },
  };
}

/** Reads and writes LDAP without any opinion. */
export class RawLdap {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #framer = new Framer();
  #messages: Message<Response>[] = [];
  #waiting: ((message: Message<Response> | undefined) => void)[] = [];
  #gone = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#framer.push(chunk);
      for (let frame = this.#framer.next(100_000_000); frame; frame = this.#framer.next(100_000_000)) {
        const message = decodeResponse(frame);
        const next = this.#waiting.shift();
        if (next) next(message);
        else this.#messages.push(message);
      }
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.#gone = true;
        for (const next of this.#waiting) next(undefined);
        resolve();
      }),
    );
  }

  static connect(port: number): Promise<RawLdap> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new RawLdap(socket)));
      socket.once('error', reject);
    });
  }

  write(octets: Uint8Array | string): void {
    this.socket.write(typeof octets === 'string' ? Buffer.from(octets.replaceAll(' ', ''), 'hex') : octets);
  }

  send(id: number, request: Request, controls: readonly Control[] = []): void {
    this.write(encodeRequest(id, request, controls));
  }

  /** The next message, or undefined once the connection is closed. */
  next(): Promise<Message<Response> | undefined> {
    const message = this.#messages.shift();
    if (message || this.#gone) return Promise.resolve(message);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async ask(id: number, request: Request, controls: readonly Control[] = []): Promise<Message<Response> | undefined> {
    this.send(id, request, controls);
    return this.next();
  }
}

export const simpleBind = (name: string, password: string): Request => ({
  op: 'bind',
  version: 3,
  name,
  method: { type: 'simple', password: Buffer.from(password) },
});

export const searchFor = (filter: string, more: Partial<Extract<Request, { op: 'search' }>> = {}): Request => ({
  op: 'search',
  base: 'dc=jade,dc=net',
  scope: 'sub',
  derefAliases: 0,
  sizeLimit: 0,
  timeLimit: 0,
  typesOnly: false,
  filter: parseFilter(filter),
  attributes: [],
  ...more,
});

/** A self-signed certificate for `localhost`. */
export function selfSigned(): { key: string; cert: string } {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const key = forge.pki.privateKeyFromPem(privateKey);
  const cert = forge.pki.createCertificate();
  cert.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  cert.serialNumber = '01';
  cert.validity.notBefore = new Date(Date.now() - 86_400_000);
  cert.validity.notAfter = new Date(Date.now() + 86_400_000);
  cert.setSubject([{ name: 'commonName', value: 'localhost' }]);
  cert.setIssuer([{ name: 'commonName', value: 'localhost' }]);
  cert.sign(key, forge.md.sha256.create());
  return { key: privateKey, cert: forge.pki.certificateToPem(cert) };
}
