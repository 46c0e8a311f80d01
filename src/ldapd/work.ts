/**
 * What is in work on a connection: operations by message id, and among them those that stay until somebody ends them.
 *
 * Promise: an operation is ended once, and how it was ended first counts. Those that stay are not in the way of others.
 * Spec: RFC 4511 §4.1.1.1, §4.11
 */

import { DirectoryFault } from '../directory/index.ts';
import type { Operation } from './command.ts';

export class Work {
  readonly #operations = new Map<number, Operation>();
  /** Operations that stay, with what to do at their end. */
  readonly #staying = new Map<Operation, () => void>();

  /** All of them. */
  get size(): number {
    return this.#operations.size;
  }

  /** Without those that stay. */
  get passing(): number {
    return this.#operations.size - this.#staying.size;
  }

  get(id: number): Operation | undefined {
    return this.#operations.get(id);
  }

  begin(id: number, op: Operation['op'], abortable: boolean): Operation {
    const operation: Operation = { id, op, abort: abortable ? new AbortController() : undefined, ended: undefined };
    this.#operations.set(id, operation);
    return operation;
  }

  /** It is over. */
  done(operation: Operation): void {
    this.#operations.delete(operation.id);
    this.#staying.get(operation)?.();
    this.#staying.delete(operation);
  }

  /** It stays from now on. `enter` counts it among those of all connections and says what undoes that. Throws adminLimitExceeded. */
  stay(operation: Operation, most: number, enter: () => () => void): void {
    if (this.#staying.size >= most)
      throw new DirectoryFault('adminLimitExceeded', 'the connection has as many searches that stay open as it may');
    this.#staying.set(operation, enter());
  }

  /** RFC 4511 §4.11: what cannot be abandoned, or is not there, is passed over in silence. */
  abandon(id: number): void {
    const target = this.#operations.get(id);
    if (target?.abort && !target.ended) end(target, 'abandoned');
  }

  /** Nobody waits for an answer any more. */
  abandonAll(): void {
    for (const operation of this.#operations.values()) end(operation, 'abandoned');
  }

  /** Ends what can be ended early; each is answered. */
  cancelAll(): void {
    for (const operation of this.#operations.values()) if (operation.abort) end(operation, 'cancelled');
  }

  endStaying(how: 'abandoned' | 'cancelled'): void {
    for (const operation of this.#staying.keys()) end(operation, how);
  }
}

function end(operation: Operation, how: 'abandoned' | 'cancelled'): void {
  operation.ended = operation.ended ?? how;
  operation.abort?.abort();
}
