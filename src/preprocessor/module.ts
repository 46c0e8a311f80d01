/**
 * What a preprocessor module is: a value with a name, a matrix and a function from a message to a verdict.
 *
 * Promise asked of a module: it reads the message by the handle only, changes nothing itself, and bounds what it reads and
 * how long it takes. A module that throws delays the message it was given and no other; it never decides by failing.
 * Source: manual chapter 3; checklist MTA-11 … MTA-21
 */

import type { InputChannel, Live, OutputChannel } from '../base/index.ts';
import type { MessageStructure } from '../mail/index.ts';
import type { DsnRequest, NewMessage, QueuedMessage, RecipientNumber } from '../queue/index.ts';

/** A recipient that routing has decided about. */
export interface RoutedRecipient {
  /** Its number in the input queue; several routes of one recipient share it. */
  readonly from: RecipientNumber;
  readonly address: string;
  readonly queue: OutputChannel;
  readonly identifier: string;
  readonly dsn?: DsnRequest;
}

/** A message as a module sees it: with what modules before it have changed. Sizes and offsets mean the bytes, without the prefix. */
export interface MessageHandle {
  readonly message: QueuedMessage;
  readonly size: number;
  /** Trace and other fields that stand in front of the bytes. */
  readonly prefix: string;
  /** The header of the bytes, up to and without the empty line; at most 1 MiB. */
  header(): Promise<Uint8Array>;
  structure(): Promise<MessageStructure>;
  read(start?: number, end?: number): Promise<Uint8Array>;
  stream(start?: number, end?: number): AsyncIterable<Uint8Array>;
}

/** Why and for whom a module runs: those recipients whose cell of the matrix is marked. */
export interface ModuleTask {
  readonly input: InputChannel;
  /** Output channels of these recipients. */
  readonly outputs: readonly OutputChannel[];
  readonly recipients: readonly RoutedRecipient[];
  /** Aborted when the module's time is over: whatever it says after that is not heard. */
  readonly signal: AbortSignal;
}

/** Applies to the recipients of the task, or to those of them it names. */
export type ModuleVerdict = (
  | { readonly is: 'pass' }
  /** The sender is told; with `toPostmaster` the postmaster is instead. */
  | { readonly is: 'bounce'; readonly status: string; readonly text: string; readonly toPostmaster?: boolean }
  /** Nobody is told but the log. */
  | { readonly is: 'discard'; readonly text: string }
  /** Other bytes, other fields in front, or both; only these recipients get them. */
  | { readonly is: 'replace'; readonly bytes?: Uint8Array; readonly prefix?: string; readonly text?: string }
  /** The whole message waits. */
  | { readonly is: 'defer'; readonly text: string }
) & {
  readonly only?: readonly RoutedRecipient[];
  /** Messages of the module's own (notices, second messages), submitted together with the outcome. Their bytes are stored already. */
  readonly also?: readonly NewMessage[];
};

/** What the list of modules shows. Source: manual chapter 3, "Module Lists" */
export interface ModuleInfo {
  readonly name: string;
  /** The file it is in. */
  readonly file: string;
  readonly version: string;
  readonly description: string;
  /** Relative name of the entry with its settings. */
  readonly entry: string;
  /** The attribute of that entry that holds the matrix. */
  readonly matrixAttribute: string;
}

export interface Module extends ModuleInfo {
  /** The marked cells of its Channel Action Matrix: `SMTPD LOCAL`. Any other text marks nothing: `none`. */
  readonly matrix: Live<readonly string[]>;
  run(message: MessageHandle, task: ModuleTask): Promise<ModuleVerdict | readonly ModuleVerdict[]>;
}
