/** What a POP3 command is: a value with its name, where it is specified, the states in which it is allowed, and what it does. */

import type { Reply, Session, SessionState, StateName, StateOf } from './session.ts';

export interface Command {
  readonly name: string;
  readonly spec: string;
  readonly states: readonly StateName[];
  /** `args` is what stands behind the command and one space. */
  readonly run: (session: Session, state: SessionState, args: string) => Promise<Reply> | Reply;
}

interface Definition<N extends StateName> {
  readonly name: string;
  readonly spec: string;
  readonly run: (session: Session, state: StateOf<N>, args: string) => Promise<Reply> | Reply;
}

const wrongMoment: Reply = { ok: false, text: 'not now' };

function define<N extends StateName>(states: readonly N[], { name, spec, run }: Definition<N>): Command {
  const allowed = (state: SessionState): state is StateOf<N> => (states as readonly StateName[]).includes(state.name);
  return { name, spec, states, run: (session, state, args) => (allowed(state) ? run(session, state, args) : wrongMoment) };
}

export const beforeLogin = (definition: Definition<'authorization'>): Command => define(['authorization'], definition);
export const afterLogin = (definition: Definition<'transaction'>): Command => define(['transaction'], definition);
export const always = (definition: Definition<'authorization' | 'transaction'>): Command =>
  define(['authorization', 'transaction'], definition);

/** The arguments as numbers, when they are exactly that many. */
export function numbers(args: string, count: number): number[] | undefined {
  const words = args.trim().split(/ +/);
  return words.length === count && words.every((word) => /^\d{1,9}$/.test(word)) ? words.map(Number) : undefined;
}
