/** What every command shares: finding the configuration, saying what went wrong, printing tables. */

import type { Command } from 'commander';
import { asFault, Fault, oneLine } from '../base/index.ts';
import type { Config } from '../main/index.ts';
import { loadConfig } from './config-file.ts';

/** Wraps a command's work into a commander action: the configuration first, then the command's own arguments. */
export type Run = <A extends unknown[]>(
  work: (config: Config, ...args: A) => Promise<void>,
) => (...args: [...A, ...unknown[]]) => Promise<void>;

export function runner(program: Command): Run {
  tellOfLostOutput(program.name());
  return (work) =>
    async (...args) => {
      try {
        await work(loadConfig(program.opts<{ config?: string }>().config), ...(args as never));
      } catch (thrown) {
        complain(thrown, program.name());
      }
    };
}

/** The arguments with `-h` alone where it stands in one word with other flags (`-hv`), which the library does not see. */
export function withHelp(program: Command, args: readonly string[]): readonly string[] {
  const takesValue = (letter: string): boolean => program.options.some(({ short, required }) => short === `-${letter}` && required);
  const isHelp = (arg: string): boolean => {
    if (!/^-[a-z]{2,}$/i.test(arg)) return false;
    const letters = [...arg.slice(1)];
    const help = letters.indexOf('h');
    return help >= 0 && !letters.slice(0, help).some(takesValue);
  };
  return args.some(isHelp) ? ['-h'] : args;
}

/** A full disk behind `>` would go unnoticed: `console.log` says nothing. Whoever closed a pipe wants no more, and that is no failure. */
function tellOfLostOutput(who: string): void {
  process.stdout.once('error', (thrown: NodeJS.ErrnoException) => {
    process.stdout.on('error', () => {});
    if (thrown.code === 'EPIPE') return;
    setImmediate(() => {
      if (process.exitCode === undefined) complain(new Fault('unavailable', `standard output cannot be written: ${thrown.message}`), who);
    });
  });
}

/** One line on standard error, and a non-zero exit code. */
export function complain(thrown: unknown, who = 'mailtree'): void {
  const fault = asFault(thrown);
  const bug = fault.kind === 'bug' && !(thrown instanceof Fault);
  const text = bug ? (thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)) : fault.say;
  console.error(`${who}: ${text.split('\n').map(oneLine).join('\n')}`);
  process.exitCode = 1;
}

/** Lines with what others say in them (replies, DNS, certificates): control characters are shown, not sent to the terminal. */
export function say(text: string): void {
  console.log(text.split('\n').map(oneLine).join('\n'));
}

/** Cells come from anybody: control characters in them are shown, not sent to the terminal. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [head, ...rows].map((row) => row.map(oneLine));
  const widths = head.map((_, column) => all.reduce((widest, row) => Math.max(widest, (row[column] ?? '').length), 0));
  for (const row of all)
    console.log(
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    );
}

/** Takes the arguments out of the process list, where other users of this machine could read a password among them. */
export function hideArguments(who = 'mailtree'): void {
  process.title = who;
}

export function json(value: unknown): void {
  console.log(jsonText(value));
}

/** The same of a list that may be long: element by element, so that it is never one text. Nothing is printed before the first. */
export class JsonList {
  readonly #indent: string;
  #next: string;

  /** `name`: the list is that part of an object. */
  constructor(name?: string) {
    this.#indent = name === undefined ? '  ' : '    ';
    this.#next = name === undefined ? '[' : `{\n  ${JSON.stringify(name)}: [`;
  }

  /** An element as `jsonText` writes it. */
  add(element: string): void {
    process.stdout.write(`${this.#next}\n${this.#indent}${element.replaceAll('\n', `\n${this.#indent}`)}`);
    this.#next = ',';
  }

  /** With what else the object has. */
  end(rest: Readonly<Record<string, unknown>> = {}): void {
    const outer = this.#indent.slice(2);
    const list = this.#next === ',' ? `\n${outer}]` : `${this.#next}]`;
    const others = Object.entries(rest).map(([name, value]) => `,\n  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
    process.stdout.write(`${list}${outer === '' ? '' : `${others.join('')}\n}`}\n`);
  }
}

export const jsonText = (value: unknown): string => JSON.stringify(value, null, 2);

/** By the running server, or on its files where none runs. */
export async function eitherWay<T>(running: () => Promise<T>, offline: () => Promise<T>): Promise<T> {
  try {
    return await running();
  } catch (thrown) {
    const code = thrown instanceof Fault ? (thrown.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw thrown;
    return await offline();
  }
}
