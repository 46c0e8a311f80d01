/**
 * What a command is: a value with a name, the section it follows, the states it is allowed in, and two functions.
 *
 * `parse` takes the arguments off a cursor; `run` asks a port and returns the tagged reply and the next state. Neither touches
 * the socket, logs or counts.
 * Spec: RFC 3501 §6
 */

import type { Completion, Session, SessionState, StateName, StateOf } from './session.ts';
import type { LiteralTaker } from './wire/command-reader.ts';
import type { Cursor } from './wire/cursor.ts';

/** A command with its arguments. */
export type Bound = (session: Session, state: SessionState) => Promise<Completion>;

/** A command that takes large literals as they come. */
export interface StreamingRun extends LiteralTaker {
  finish(args: Cursor): Promise<Completion>;
  /** The command is over, well or not: lets go of what it holds. */
  release(): Promise<void>;
}

export interface Command {
  readonly name: string;
  /** RFC and section. */
  readonly spec: string;
  readonly states: readonly StateName[];
  /** EXPUNGE may be told before the reply (RFC 3501 §7.4.1). */
  readonly expunge: boolean;
  readonly parse: (args: Cursor) => Bound;
  /** Instead of `parse`. */
  readonly stream?: (session: Session, state: SessionState) => StreamingRun;
}

export interface Definition<N extends StateName, A> {
  readonly name: string;
  readonly spec: string;
  readonly parse: (args: Cursor) => A;
  readonly run: (session: Session, state: StateOf<N>, args: A) => Promise<Completion> | Completion;
  /** False for commands during which message numbers must stand still. */
  readonly expunge?: boolean;
}

function define<N extends StateName, A>(states: readonly N[], definition: Definition<N, A>): Command {
  const { name, spec, parse, run, expunge = true } = definition;
  const allowed = (state: SessionState): state is StateOf<N> => (states as readonly StateName[]).includes(state.name);
  return {
    name,
    spec,
    states,
    expunge,
    parse(args) {
      args.take(' ');
      const parsed = parse(args);
      args.end();
      return async (session, state) =>
        allowed(state) ? run(session, state, parsed) : { status: 'BAD', text: `${name} is not allowed in this state` };
    },
  };
}

export const loggedOutStates = ['not-authenticated'] as const;
export const loggedInStates = ['authenticated', 'selected'] as const;
export const selectedStates = ['selected'] as const;
export const anyState = ['not-authenticated', 'authenticated', 'selected'] as const;

export const whenever = <A>(definition: Definition<(typeof anyState)[number], A>): Command => define(anyState, definition);
export const loggedOut = <A>(definition: Definition<(typeof loggedOutStates)[number], A>): Command => define(loggedOutStates, definition);
export const loggedIn = <A>(definition: Definition<(typeof loggedInStates)[number], A>): Command => define(loggedInStates, definition);
export const selected = <A>(definition: Definition<(typeof selectedStates)[number], A>): Command => define(selectedStates, definition);

/** For commands without arguments. */
export const none = (): undefined => undefined;
