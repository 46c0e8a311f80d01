/**
 * One LDAP connection: reads messages, carries them out side by side, answers, enforces the limits.
 *
 * Promise: whatever arrives, the worst that happens is that this connection ends. A stream that is no LDAP gets a Notice of
 * Disconnection; a request that makes no sense gets its own answer; nothing is read while the peer does not take its answers, or
 * while as many operations are in work as are allowed. A bind waits for what is in work, and what follows waits for it.
 * What an operation does is in commands/.
 * Spec: RFC 4511 §4.1.1, §4.2.1, §4.4.1, §4.11, §4.14, §5
 */

import type { Socket } from 'node:net';
import { asFault, clientNetwork, peerAddress, startTls } from '../base/index.ts';
import { type Actor, anonymous, DirectoryFault } from '../directory/index.ts';
import {
  BadRequest,
  BrokenBer,
  decodeRequest,
  encodeResponse,
  Framer,
  type Message,
  type Request,
  success,
  wrapOperation,
} from '../ldap-wire/index.ts';
import { answerMessage, noteRefusal } from './answers.ts';
import type { Answer, AnyCommand, Context, Operation } from './command.ts';
import { startTlsOid } from './commands/extended.ts';
import { commands, knownControls } from './commands/index.ts';
import { checkControls } from './controls/control.ts';
import { passwordPolicy, policyControls } from './controls/password-policy.ts';
import { Cursors } from './cursors.ts';
import { entryOperation } from './encode-entry.ts';
import { Outbox } from './outbox.ts';
import { noticeMessage, resultOf } from './results.ts';
import type { Farewell, SessionOptions } from './session-options.ts';
import { type Overdue, Turn, Watchdog } from './watchdog.ts';
import { Work } from './work.ts';

/** After a farewell the peer has so long to take it, in milliseconds. */
const farewellMs = 1_000;
/** One connection reads requests for so long at most before others have their turn, in milliseconds. */
const readMs = 5;
/** Operations in work on a connection of an address that has had its share, while others wait. */
const greedyOperations = 1;
const stopping = 'the server is shutting down';
/** Writes that are in work when a log-in falls get so long, in milliseconds: one of them may be what it falls by. */
const revokedMs = 2_000;

const needsQuiet = (request: Request): boolean => request.op === 'bind' || (request.op === 'extended' && request.oid === startTlsOid);

export class Session {
  readonly #options: SessionOptions;
  readonly #address: string;
  readonly #framer = new Framer();
  readonly #outbox: Outbox;
  readonly #work = new Work();
  readonly #cursors: Cursors;
  #socket: Socket;
  #actor: Actor;
  #tls: boolean;
  /** open: at work · ending: the peer has closed its half · stopping: we end · closed: nothing is read or answered any more. */
  #state: 'open' | 'ending' | 'stopping' | 'closed' = 'open';
  /** A request that waits for quiet, or is alone in work. */
  #alone: Message<Request> | 'working' | undefined;
  /** Others have their turn before more is read. */
  #givesWay = false;
  /** What is said at the end, once the state is stopping. */
  #farewell: Farewell = { result: 'unavailable', why: stopping };
  readonly #turn = new Turn();
  readonly #watchdog: Watchdog;
  #cancelFarewell: () => void = () => {};
  #gone = false;
  #spoken = false;

  constructor(socket: Socket, options: SessionOptions) {
    this.#options = options;
    this.#cursors = new Cursors(options.cursors);
    this.#socket = socket;
    this.#tls = options.over === 'tls';
    this.#address = peerAddress(socket);
    this.#actor = anonymous('ldap', this.#address || undefined);
    this.#outbox = new Outbox(socket, options.unsent, () => this.#goOn());
    this.#watchdog = new Watchdog(options.clock, options.settings, (what) => this.#overdue(what));
    this.#attach(socket);
  }

  /** Refuses new requests, lets those in work finish for `graceMs` milliseconds, and says farewell. */
  shutdown(graceMs: number): void {
    this.#leave({ result: 'unavailable', why: stopping }, graceMs);
  }

  #leave(farewell: Farewell, graceMs: number): void {
    if (this.#state === 'closed' || this.#state === 'stopping') return;
    this.#state = 'stopping';
    this.#farewell = farewell;
    this.#socket.pause();
    this.#work.cancelAll();
    this.#options.clock.after(graceMs, () => this.#disconnect(farewell.result, farewell.why));
    this.#finishIfDone();
  }

  readonly since = performance.now();

  get client(): string {
    return clientNetwork(this.#address);
  }

  /** Whether the connection can be spared where others wait for room. */
  get spare(): boolean {
    return this.#watchdog.spare(!this.#actor.dn);
  }

  /** Ends at once, in favour of another connection. */
  makeRoom(): void {
    if (this.#state === 'closed') return;
    // What fits into the kernel's buffer leaves at once; nobody is waited for.
    if (this.#socket.writable && !this.#outbox.full) this.#socket.write(noticeMessage('busy', 'others need the connection'));
    this.#close();
  }

  /** Ends the connection unless its log-in still stands. */
  checkLogin(): void {
    if (this.#options.directory.holds?.(this.#actor) === false) this.revoke();
  }

  /**
   * The log-in stands no longer: whatever was to come would be done with rights that are gone, so the client is told to log in anew
   * (RFC 4511 §4.4.1: a security association has unexpectedly failed).
   */
  revoke(): void {
    this.#options.log.info(`connection from ${this.#address || 'the local socket'} ended: the account it was logged in to has changed`);
    this.#leave({ result: 'strongerAuthRequired', why: 'the account has changed: log in again' }, revokedMs);
  }

  // ---- the socket

  readonly #onData = (chunk: Buffer): void => {
    this.#framer.push(chunk);
    this.#goOn();
  };
  readonly #onEnd = (): void => {
    // The peer has said all it wants to say; it may still read.
    if (this.#state === 'open') this.#state = 'ending';
    // These would keep the connection for ever, and perhaps for nobody.
    this.#work.endStaying('abandoned');
    this.#finishIfDone();
  };
  readonly #onClose = (): void => this.#close();

  #attach(socket: Socket): void {
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
  }

  #detach(socket: Socket): void {
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
  }

  /** Ends everything at once. */
  #close(): void {
    if (this.#gone) return;
    this.#state = 'closed';
    this.#gone = true;
    this.#watchdog.stop();
    this.#cancelFarewell();
    this.#outbox.close();
    this.#cursors.clear();
    this.#work.abandonAll();
    this.#options.onIdentity(this.#actor.dn, undefined);
    this.#options.onClose();
    this.#socket.destroy();
  }

  /** Says why, and ends the connection. */
  #disconnect(result: Farewell['result'], why: string): void {
    if (this.#state === 'closed') return;
    this.#outbox.push(noticeMessage(result, why));
    this.#hangUp();
  }

  /** Ends the connection behind what is to be sent; what the peer still sends is thrown away. */
  #hangUp(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#work.abandonAll();
    this.#cursors.clear();
    this.#watchdog.stop();
    this.#outbox.flush();
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.resume();
    socket.end();
    this.#cancelFarewell = this.#options.clock.after(farewellMs, () => socket.destroy());
  }

  #finishIfDone(): void {
    if (this.#work.size > 0) return;
    if (this.#state === 'stopping') this.#disconnect(this.#farewell.result, this.#farewell.why);
    else if (this.#state === 'ending' && this.#alone === undefined && !this.#givesWay) this.#hangUp();
  }

  // ---- reading

  #pump(): void {
    const begun = performance.now();
    let read = 0;
    try {
      while (this.#mayRead()) {
        if (read++ > 0 && performance.now() - begun > readMs) {
          this.#giveWay();
          break;
        }
        const { maxMessage, maxMessageAnonymous } = this.#options.settings.value;
        const frame = this.#framer.next(this.#actor.dn || this.#actor.as === 'system' ? maxMessage : maxMessageAnonymous);
        if (!frame) break;
        this.#watchdog.message();
        this.#take(frame);
      }
    } catch (thrown) {
      const fault = asFault(thrown);
      if (fault.kind === 'bug') this.#options.log.error(`connection from ${this.#address}`, thrown);
      else this.#options.log.info(`connection from ${this.#address} ended: ${fault.say}`);
      const knows = this.#actor.dn || this.#actor.as === 'system';
      const setting = fault.kind === 'too-large' ? ` (${knows ? 'mtLdapdMaxMessage' : 'mtLdapdMaxMessageAnonymous'})` : '';
      this.#disconnect(fault.kind === 'bug' ? 'unavailable' : 'protocolError', fault.say + setting);
      return;
    } finally {
      if (read > 0) this.#options.turns.used(this.#address, performance.now() - begun);
    }
    this.#steer();
  }

  /** Reads on, at once or when it is its turn. */
  #goOn(): void {
    if (this.#givesWay) this.#steer();
    else if (this.#options.turns.greedy(this.#address) && this.#mayRead()) {
      this.#giveWay();
      this.#steer();
    } else this.#pump();
  }

  /** Requests that came in one piece are read on after others had their turn. */
  #giveWay(): void {
    this.#givesWay = true;
    void this.#options.turns.next(this.#address, this).then(() => {
      this.#givesWay = false;
      this.#pump();
    });
  }

  #mayRead(): boolean {
    return (
      !this.#givesWay &&
      (this.#state === 'open' || this.#state === 'ending') &&
      this.#alone === undefined &&
      this.#work.passing < this.#mostOperations &&
      !this.#outbox.full
    );
  }

  get #mostOperations(): number {
    const { settings, turns } = this.#options;
    const { maxOperations } = settings.value;
    return turns.greedy(this.#address) ? Math.min(maxOperations, greedyOperations) : maxOperations;
  }

  /** Lets the socket flow or not, and tells the watchdog how things stand. */
  #steer(): void {
    if (this.#state === 'closed') return;
    const flows = this.#mayRead();
    if (flows) this.#socket.resume();
    else this.#socket.pause();
    this.#watchdog.state({
      partial: flows && this.#framer.waiting > 0,
      stalled: this.#outbox.stalled(),
      busy: this.#work.size > 0,
    });
    this.#finishIfDone();
  }

  #take(frame: Buffer): void {
    let message: Message<Request>;
    try {
      message = decodeRequest(frame);
    } catch (thrown) {
      if (!(thrown instanceof BadRequest)) throw thrown;
      this.#answerBad(thrown);
      return;
    }
    const { id, body } = message;
    if (!this.#spoken && !(body.op === 'extended' && body.oid === startTlsOid)) {
      this.#spoken = true;
      this.#options.onSpoken();
    }
    // RFC 4511 §4.1.11: with a critical control that does not belong to it, it is not done; there is no answer to say so.
    const refused = message.controls.some(({ critical }) => critical);
    if (body.op === 'unbind') this.#hangUp();
    else if (body.op === 'abandon' && refused) this.#options.log.diagnostic(`abandon from ${this.#address} has a critical control`);
    else if (body.op === 'abandon') this.#work.abandon(body.target);
    // RFC 4511 §4.1.1.1: an id in use may not be used again; nobody could tell the answers apart.
    else if (this.#work.get(id)) throw new BrokenBer(`message id ${id} is in use`);
    else if (needsQuiet(body)) {
      this.#alone = message;
      // RFC 4511 §4.2.1: what is in work is completed or abandoned; these would never be completed.
      if (body.op === 'bind') this.#work.endStaying('cancelled');
      this.#beginAlone();
    } else {
      // The feed tells of it as well, a moment later.
      this.checkLogin();
      if (this.#state === 'open' || this.#state === 'ending') this.#begin(message);
    }
  }

  #answerBad(bad: BadRequest): void {
    // RFC 4511 §4.2.1: whoever has sent a bind is anonymous from then on, until one succeeds.
    if (bad.operation === 'bind') this.#becomes(undefined);
    // Unbind and abandon have no answer.
    if (bad.operation === 'unbind') this.#hangUp();
    else if (bad.operation !== 'abandon') {
      this.#outbox.push(encodeResponse(bad.id, { op: bad.operation, result: resultOf(new DirectoryFault('protocolError', bad.say)) }));
    }
  }

  // ---- working

  #beginAlone(): void {
    const message = this.#alone;
    if (!message || message === 'working') return;
    // StartTLS does not wait: RFC 4511 §4.14.1 wants it refused while others are in work.
    if (message.body.op === 'bind' && this.#work.size > 0) return;
    this.#alone = 'working';
    this.#begin(message);
  }

  #begin(message: Message<Request>): void {
    const command = commands[message.body.op as keyof typeof commands] as AnyCommand;
    if (command.now && message.controls.length === 0 && this.#answerNow(command, message)) return;
    const operation = this.#work.begin(message.id, message.body.op, command.abortable ?? false);
    this.#run(command, message, operation).catch((thrown) => {
      this.#options.log.error('an operation could not be finished', thrown);
      this.#close();
    });
  }

  /** Most searches are over before anything else could happen: they need no operation, no promise, no turn. */
  #answerNow(command: AnyCommand, message: Message<Request>): boolean {
    const { directory, virtual, log } = this.#options;
    const { id, body } = message;
    try {
      const entries = command.now?.(body as never, { directory, virtual, actor: this.#actor });
      if (!entries) return false;
      const typesOnly = body.op === 'search' && body.typesOnly;
      for (const entry of entries) this.#outbox.push(wrapOperation(id, entryOperation(entry, typesOnly)));
      this.#outbox.push(answerMessage(message, { result: success }));
    } catch (thrown) {
      noteRefusal(log, this.#address, body, thrown);
      this.#outbox.push(answerMessage(message, { result: resultOf(thrown) }));
    }
    return true;
  }

  async #run(command: AnyCommand, message: Message<Request>, operation: Operation): Promise<void> {
    let answer: Answer;
    let refusal: unknown;
    try {
      checkControls(message.body.op, command.controls ?? [], message.controls, knownControls);
      answer = await command.run(message.body as never, this.#context(operation), message.controls);
    } catch (thrown) {
      refusal = thrown;
      answer = { result: resultOf(thrown) };
      if (!operation.ended) noteRefusal(this.#options.log, this.#address, message.body, thrown);
    }
    if (message.controls.length > 0 && command.controls?.includes(passwordPolicy)) {
      const policy = policyControls(message.controls, answer.actor, refusal);
      if (policy.length > 0) answer = { ...answer, controls: [...(answer.controls ?? []), ...policy] };
    }
    this.#work.done(operation);
    if (this.#state === 'closed') return;
    if (operation.ended === 'cancelled') {
      answer = {
        ...(answer.controls ? { controls: answer.controls } : {}),
        result: resultOf(
          this.#state === 'stopping'
            ? new DirectoryFault(this.#farewell.result, this.#farewell.why)
            : new DirectoryFault('canceled', 'cancelled'),
        ),
      };
    }
    if (operation.op === 'bind') this.#becomes(answer.actor);
    if (operation.ended !== 'abandoned') this.#outbox.push(answerMessage(message, answer));
    if (needsQuiet(message.body)) {
      if (answer.startTls) await this.#startTls();
      this.#alone = undefined;
    }
    this.#beginAlone();
    this.#goOn();
  }

  #context(operation: Operation): Context {
    const { directory, virtual, followed, settings, tls, over, external, userNamed, turns } = this.#options;
    const outbox = this.#outbox;
    return {
      directory,
      virtual,
      followed,
      settings: settings.value,
      actor: this.#actor,
      address: this.#address,
      confidential: this.#tls || over === 'unix',
      tls: this.#tls,
      tlsPossible: tls.value !== undefined && over === 'tcp',
      external: over === 'unix' ? external : undefined,
      userNamed,
      operation,
      outstanding: (id) => this.#work.get(id),
      outstandingCount: this.#work.size,
      cursors: this.#cursors,
      send: (octets, controls) => outbox.push(wrapOperation(operation.id, octets, controls)),
      stay: () => this.#stay(operation),
      tired: () => outbox.full || this.#turn.over(),
      rest: async () => {
        // All that wait wake up together; whoever finds the way out full again goes on waiting.
        turns.used(this.#address, this.#turn.end());
        do {
          this.#steer();
          await outbox.drained();
          if (this.#state !== 'closed') await turns.next(this.#address, this);
        } while (outbox.full && this.#state !== 'closed');
        this.#turn.begin();
      },
    };
  }

  #stay(operation: Operation): void {
    const { settings, staying } = this.#options;
    this.#work.stay(operation, settings.value.maxPersistent, () => staying.enter(!this.#actor.dn && this.#actor.as !== 'system'));
    // A bind, or the end of what the peer says, may have come before it had got so far.
    if (this.#state === 'ending') this.#work.endStaying('abandoned');
    else if (typeof this.#alone === 'object' && this.#alone.body.op === 'bind') this.#work.endStaying('cancelled');
    // It is in the way of others no more.
    queueMicrotask(() => this.#pump());
  }

  #becomes(actor: Actor | undefined): void {
    const before = this.#actor.dn;
    this.#actor = actor ?? anonymous('ldap', this.#address || undefined);
    this.#options.onIdentity(before, this.#actor.dn);
    this.#cursors.clear();
  }

  // ---- TLS

  async #startTls(): Promise<void> {
    const material = this.#options.tls.value;
    // RFC 4511 §4.14.1: the client sends nothing before it has the answer. What did come in plaintext is not to be trusted.
    if (this.#framer.waiting > 0 || this.#socket.readableLength > 0 || !material) {
      this.#disconnect('protocolError', 'plaintext behind StartTLS');
      return;
    }
    this.#outbox.flush();
    const plain = this.#socket;
    this.#detach(plain);
    plain.pause();
    const gone = (): void => this.#close();
    plain.on('close', gone);
    try {
      const secure = await startTls(plain, material, undefined, this.#options.clock);
      plain.off('close', gone);
      if (this.#state === 'closed') {
        secure.destroy();
        this.#close();
        return;
      }
      this.#socket = secure;
      this.#tls = true;
      this.#outbox.moveTo(secure);
      this.#attach(secure);
      // RFC 4513 §3.1.1: what was negotiated before in the clear does not count any more.
      this.#becomes(undefined);
    } catch (thrown) {
      this.#options.log.info(`StartTLS with ${this.#address} failed: ${asFault(thrown).say}`);
      this.#close();
    }
  }

  #overdue(what: Overdue): void {
    if (what === 'message') this.#disconnect('protocolError', 'the message was not completed in time');
    else if (what === 'idle') this.#disconnect('unavailable', 'idle for too long');
    else {
      this.#options.log.info(`connection from ${this.#address} ended: it does not take its answers`);
      this.#close();
    }
  }
}
