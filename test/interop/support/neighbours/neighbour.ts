/** Another mail server on a host of a test network, on port 25, that finds its way by the network's DNS. */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../network.ts';

export interface NeighbourOptions {
  readonly host: Host;
  /** Its name, as the DNS has it. */
  readonly name: string;
  readonly domain: string;
  /** Who has a mailbox there, without the domain. */
  readonly users: readonly string[];
  /** Addresses and networks that may relay through it. */
  readonly relayFor?: readonly string[];
  /** Another domain whose mail waits there for ETRN, and is relayed to it. */
  readonly relayDomains?: readonly string[];
  /** Octets. */
  readonly sizeLimit?: number;
}

export interface Neighbour {
  readonly name: string;
  readonly domain: string;
  readonly host: Host;
  /** Messages in a mailbox, whole, in Latin-1, with the line ends it keeps. */
  inbox(user: string): string[];
  /** Nothing is being worked on: what is there waits for another time. */
  settled(): Promise<void>;
  /** Everything that waits is tried now. */
  flush(): Promise<void>;
  /** How many messages wait. */
  waiting(): Promise<number>;
  /** Its log. */
  log(): string;
  stop(): Promise<void>;
}

/** Messages of a maildir: in all its folders, oldest first. */
export function maildir(path: string): string[] {
  const files = ['new', 'cur'].flatMap((folder) => {
    try {
      return readdirSync(join(path, folder)).map((name) => join(path, folder, name));
    } catch {
      return [];
    }
  });
  return files.sort().map((file) => readFileSync(file, 'latin1'));
}

/** A certificate that nobody vouches for, and its key, in one directory. */
export function makeCertificate(dir: string, name: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', ...subject, '-keyout', key, '-out', cert], {
    stdio: 'pipe',
  });
  return { cert, key };
}
