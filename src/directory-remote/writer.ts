/**
 * Writing to an external directory: what our port promises and a plain server does not do by itself.
 *
 * Missing `dc` levels above a new entry are made; passwords are hashed by the server; assertion and pre- and post-read go as controls.
 * Spec: RFC 4511 §4.6-4.9, RFC 4527, RFC 4528, RFC 3062
 */

import {
  type Attribute,
  type DeleteOptions,
  DirectoryFault,
  type Modification,
  type NewName,
  type WriteOptions,
  type WriteResult,
} from '../directory/index.ts';
import type { Control, Dn, Request } from '../ldap-wire/index.ts';
import { renameRequest, treeDelete } from './client.ts';
import { type LdapConnection, succeed } from './connection.ts';
import { writeControls, writeResult } from './controls.ts';
import { passwordModify, passwordModifyOid, splitAdd, splitModify } from './passwords.ts';
import { type Features, isDomainLevel } from './upstream.ts';

type Abilities = Pick<Features, 'controls' | 'extensions'>;

export class Writer {
  readonly #connection: () => Promise<LdapConnection>;
  readonly #features: Abilities;
  readonly #timeoutMs: number;

  constructor(connection: () => Promise<LdapConnection>, features: Abilities, timeoutMs: number) {
    this.#connection = connection;
    this.#features = features;
    this.#timeoutMs = timeoutMs;
  }

  async add(dn: Dn, attributes: readonly Attribute[], options?: WriteOptions): Promise<WriteResult> {
    const { attributes: first, password } = this.#hashes ? splitAdd(attributes) : { attributes, password: undefined };
    const result = await this.#addBelow(dn, first, this.#controls(options));
    if (password === undefined) return result;
    try {
      await this.#ask(passwordModify(dn, password));
    } catch (thrown) {
      // An account without its password is not what was asked for.
      await this.#ask({ op: 'delete', dn: dn.toString() }).catch(() => {});
      throw thrown;
    }
    return result;
  }

  async modify(dn: Dn, modifications: readonly Modification[], options?: WriteOptions): Promise<WriteResult> {
    const { modifications: first, password } = this.#hashes ? splitModify(modifications) : { modifications, password: undefined };
    const controls = this.#controls(options);
    // What is asserted or read goes with a modification, be it one that changes nothing.
    const needed = first.length > 0 || password === undefined || controls.length > 0;
    const result = needed ? await this.#ask({ op: 'modify', dn: dn.toString(), modifications: first }, controls) : {};
    if (password !== undefined) await this.#ask(passwordModify(dn, password));
    return result;
  }

  async rename(dn: Dn, to: NewName, options?: WriteOptions): Promise<WriteResult> {
    return this.#ask(renameRequest(dn, to), this.#controls(options));
  }

  /** Where the server deletes no trees, `below` is asked for what stands there, and that goes first: not all or nothing then. */
  async delete(dn: Dn, options: DeleteOptions = {}, below: () => AsyncIterable<{ readonly dn: Dn }>): Promise<WriteResult> {
    if (!options.subtree || this.#features.controls.has(treeDelete.oid))
      return this.#ask({ op: 'delete', dn: dn.toString() }, this.#controls(options));
    const names: Dn[] = [];
    for await (const entry of below()) if (entry.dn.key !== dn.key) names.push(entry.dn);
    names.sort((a, b) => b.rdns.length - a.rdns.length);
    const controls = this.#controls({ ...options, subtree: false });
    for (const name of names) await this.#ask({ op: 'delete', dn: name.toString() });
    return this.#ask({ op: 'delete', dn: dn.toString() }, controls);
  }

  #controls(options: DeleteOptions | WriteOptions | undefined): Control[] {
    return writeControls(this.#features.controls, options);
  }

  get #hashes(): boolean {
    return this.#features.extensions.has(passwordModifyOid);
  }

  /** With the levels of the domain tree above it, as the bundled directory does. */
  async #addBelow(dn: Dn, attributes: readonly Attribute[], controls: readonly Control[]): Promise<WriteResult> {
    try {
      return await this.#ask({ op: 'add', dn: dn.toString(), attributes }, controls);
    } catch (thrown) {
      const { parent } = dn;
      if (!(thrown instanceof DirectoryFault) || thrown.result !== 'noSuchObject' || !isDomainLevel(dn)) throw thrown;
      if (!parent || !isDomainLevel(parent)) throw thrown;
      await this.#addLevel(parent);
      return this.#ask({ op: 'add', dn: dn.toString(), attributes }, controls);
    }
  }

  async #addLevel(dn: Dn): Promise<void> {
    const value = dn.rdns[0]?.[0]?.value ?? '';
    try {
      await this.#addBelow(
        dn,
        [
          { name: 'objectClass', values: ['domain'] },
          { name: 'dc', values: [value] },
        ],
        [],
      );
    } catch (thrown) {
      if (!(thrown instanceof DirectoryFault) || thrown.result !== 'entryAlreadyExists') throw thrown;
    }
  }

  async #ask(request: Request, controls: readonly Control[] = []): Promise<WriteResult> {
    const connection = await this.#connection();
    return writeResult(succeed(await connection.ask(request, { controls, timeoutMs: this.#timeoutMs })).controls);
  }
}
