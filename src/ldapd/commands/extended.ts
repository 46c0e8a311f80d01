/**
 * Extended operations: StartTLS, Who am I?, Password Modify, Cancel.
 *
 * Spec: RFC 4511 §4.12, §4.14; RFC 4532; RFC 3062; RFC 3909
 */

import { asFault, Fault, generatePassword } from '../../base/index.ts';
import { type Actor, DirectoryFault } from '../../directory/index.ts';
import { type BerReader, BerWriter, ber, type Dn, success } from '../../ldap-wire/index.ts';
import type { Answer, Command, Context } from '../command.ts';
import { whole } from '../controls/control.ts';
import { passwordPolicy } from '../controls/password-policy.ts';
import { manageDsaIt } from '../controls/update.ts';
import { nameOf } from '../results.ts';
import { passwordsAllowed } from './sasl.ts';

export const startTlsOid = '1.3.6.1.4.1.1466.20037';
const whoAmIOid = '1.3.6.1.4.1.4203.1.11.3';
const passwordModifyOid = '1.3.6.1.4.1.4203.1.11.1';
const cancelOid = '1.3.6.1.1.8';

interface Extended {
  readonly oid: string;
  readonly spec: string;
  run(value: Uint8Array | undefined, context: Context): Answer | Promise<Answer>;
}

const startTls: Extended = {
  oid: startTlsOid,
  spec: 'RFC 4511 §4.14',
  run(value, context) {
    if (value) throw new DirectoryFault('protocolError', 'StartTLS has no value');
    if (context.tls) throw new DirectoryFault('operationsError', 'TLS is in use already');
    if (context.outstandingCount > 1) throw new DirectoryFault('operationsError', 'other operations are in work');
    // RFC 4511 §4.14.2: protocolError where TLS is not offered at all, unavailable where it cannot be had at the moment.
    if (!context.tlsPossible) throw new DirectoryFault('unavailable', 'there is no certificate');
    return { result: success, oid: startTlsOid, startTls: true };
  },
};

const whoAmI: Extended = {
  oid: whoAmIOid,
  spec: 'RFC 4532',
  run(value, context) {
    if (value) throw new DirectoryFault('protocolError', 'Who am I? has no value');
    return { result: success, value: Buffer.from(identity(context.actor), 'utf8') };
  },
};

/** The authorisation identity (RFC 4513 §5.2.1.8); anonymous is the empty one. */
function identity(actor: Actor): string {
  if (actor.dn) return `dn:${actor.dn.toString()}`;
  return actor.as === 'system' ? 'u:system' : '';
}

const cancel: Extended = {
  oid: cancelOid,
  spec: 'RFC 3909',
  run(value, context) {
    const target = context.outstanding(inSequence('Cancel', value, (reader) => reader.integer(0, 0x7fffffff)));
    if (!target || target === context.operation) throw new DirectoryFault('noSuchOperation', 'no such operation is in work');
    if (target.ended) throw new DirectoryFault('tooLate', 'the operation was ended already');
    if (!target.abort) throw new DirectoryFault('cannotCancel', 'this operation cannot be cancelled');
    target.ended = 'cancelled';
    target.abort.abort();
    return { result: success };
  },
};

const passwordModify: Extended = {
  oid: passwordModifyOid,
  spec: 'RFC 3062',
  async run(value, context) {
    const request = value ? inSequence('Password Modify', value, readPasswordModify) : {};
    if (!context.actor.dn && context.actor.as !== 'system') throw new DirectoryFault('strongerAuthRequired', 'log in first');
    if (!passwordsAllowed(context)) throw new DirectoryFault('confidentialityRequired', 'a password is accepted over TLS only');
    const dn = request.user === undefined ? context.actor.dn : await userOf(request.user, context);
    if (!dn) throw new DirectoryFault('unwillingToPerform', 'whose password is not said');
    if (request.old !== undefined) await context.directory.authenticate(dn, request.old, { door: 'ldap', address: context.address });
    if (request.new !== undefined) {
      await setPassword(dn, request.new, context);
      return { result: success };
    }
    const writer = new BerWriter(64);
    const begun = writer.begin();
    return {
      result: success,
      value: writer
        .text(await generate(dn, context), 0x80)
        .end(begun)
        .done(),
    };
  },
};

async function setPassword(dn: Dn, password: string, { directory, actor }: Context): Promise<void> {
  await directory.modify(actor, dn, [{ operation: 'replace', attribute: { name: 'userPassword', values: [password] } }]);
}

/** A password of some 87 bits; a longer one where the directory wants more characters. */
async function generate(dn: Dn, context: Context): Promise<string> {
  for (const length of generatedLengths) {
    const password = generatePassword(length);
    try {
      await setPassword(dn, password, context);
      return password;
    } catch (thrown) {
      const tooShort = thrown instanceof DirectoryFault && thrown.result === 'constraintViolation';
      if (!tooShort || length === generatedLengths.at(-1)) throw thrown;
    }
  }
  throw new DirectoryFault('unwillingToPerform', 'no password could be made');
}

/** As in a log-in by SASL PLAIN, or a DN as it is (RFC 3062 §2: it may or may not be one). */
async function userOf(text: string, context: Context): Promise<Dn> {
  if (/^dn:/i.test(text)) return nameOf(text.slice(3));
  const name = /^u:/i.test(text) || !text.includes('=') ? text.replace(/^u:/i, '') : undefined;
  if (name === undefined) return nameOf(text);
  if (!context.userNamed) throw new DirectoryFault('invalidDNSyntax', 'the user identity is not a name of the directory');
  return context.userNamed(name);
}

/** Reads a value that is one sequence and nothing behind it. Throws DirectoryFault protocolError. */
function inSequence<T>(what: string, value: Uint8Array | undefined, read: (reader: BerReader) => T): T {
  try {
    return whole(value, (reader) => {
      const outer = reader.enter(ber.sequence);
      const out = read(reader);
      reader.leave(outer);
      return out;
    });
  } catch (thrown) {
    throw new DirectoryFault('protocolError', `${what}: ${asFault(thrown).say}`);
  }
}

function readPasswordModify(reader: BerReader): { user?: string; old?: string; new?: string } {
  const out: { user?: string; old?: string; new?: string } = {};
  if (reader.is(0x80)) out.user = reader.text(0x80);
  if (reader.is(0x81)) out.old = reader.text(0x81);
  if (reader.is(0x82)) out.new = reader.text(0x82);
  // What is left over was meant as something: no password is changed by half of what was said.
  if (reader.more) throw new Fault('malformed', 'the elements are not user [0], old password [1], new password [2]');
  return out;
}

/** Characters of a generated password; the directory's shortest password may be longer than the first. */
const generatedLengths = [16, 128] as const;

const operations = new Map([startTls, whoAmI, passwordModify, cancel].map((one) => [one.oid, one]));

/** OIDs for `supportedExtension` of the root DSE. */
export const supportedExtensions: readonly string[] = [...operations.keys()];

export const extended: Command<'extended'> = {
  op: 'extended',
  spec: 'RFC 4511 §4.12',
  // OpenLDAP's tools send it with everything when they are told to (-M).
  controls: [manageDsaIt, passwordPolicy],
  async run(request, context) {
    const operation = operations.get(request.oid);
    if (!operation) throw new DirectoryFault('protocolError', 'the extended operation is not known');
    return operation.run(request.value, context);
  },
};
