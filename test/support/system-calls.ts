/**
 * Reads what strace wrote about a server and finds successes that were told too early.
 *
 * A write is safe when a flush of its file began after it had ended and came back well, or when the file was opened so that writes are
 * flushed when they end (O_DSYNC, O_SYNC; open(2)). A name (a new or renamed file or
 * directory) is safe when the directory it stands in was flushed likewise.
 */

import { dirname } from 'node:path';

export const tracedCalls = [
  ...['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2', 'sendto', 'sendmsg', 'fsync', 'fdatasync', 'msync', 'sync_file_range'],
  ...['openat', 'mkdir', 'mkdirat', 'rename', 'renameat', 'renameat2'],
] as const;

export interface Answer {
  readonly name: string;
  /** What the octets of the answer look like (Latin-1). */
  readonly says: RegExp;
  /** Files of which at least one each must have been written and flushed since the answer before. */
  readonly files: readonly RegExp[];
}

export interface TraceReport {
  readonly calls: number;
  readonly flushes: number;
  /** How often each answer was told. */
  readonly told: ReadonlyMap<string, number>;
  readonly wrong: readonly string[];
}

interface Call {
  readonly line: number;
  readonly name: string;
  readonly args: string;
  /** Undefined while it runs. */
  readonly result: string | undefined;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', v: '\v', f: '\f', '"': '"', '\\': '\\' };
const plain = (text: string): string =>
  text.replace(/\\(x[0-9a-f]{2}|[0-7]{1,3}|.)/g, (_, code: string) =>
    code[0] === 'x'
      ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
      : (escapes[code] ?? String.fromCharCode(Number.parseInt(code, 8))),
  );
const strings = (args: string): string[] => [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => plain(text ?? ''));
const fdOf = (text: string): string => /^\d+/.exec(text)?.[0] ?? '';
const pathOf = (args: string): string => /^\d+<([^>]*)>/.exec(args)?.[1] ?? '';

class Reader {
  readonly told = new Map<string, number>();
  readonly wrong: string[] = [];
  flushes = 0;
  readonly #data: string;
  readonly #answers: readonly Answer[];
  /** What is not flushed yet, by the file or directory whose flush it waits for; true: the call has ended. */
  readonly #dirty = new Map<string, Map<Call, boolean>>();
  /** What a flush that is under way will have flushed. */
  readonly #covers = new Map<Call, Call[]>();
  /** Descriptors whose writes are flushed when they have ended. */
  readonly #through = new Set<string>();
  /** Files that were written and flushed since the last answer. */
  #flushed = new Set<string>();

  constructor(options: { readonly data: string; readonly answers: readonly Answer[] }) {
    this.#data = options.data;
    this.#answers = options.answers;
  }

  /** Messages and the logs of the databases; what the database makes out of its logs later is its own business. */
  #matters(path: string): boolean {
    return path.startsWith(`${this.#data}/blobs/`) || /^\/(mail|directory)\/\d+\.log$/.test(path.slice(this.#data.length));
  }

  begin(call: Call): void {
    const path = pathOf(call.args);
    if (/sync$/.test(call.name)) {
      const waiting = this.#dirty.get(path) ?? new Map<Call, boolean>();
      this.#covers.set(
        call,
        [...waiting].filter(([, ended]) => ended).map(([waited]) => waited),
      );
    } else if (/^(write|pwrite|send)/.test(call.name)) {
      if (path.startsWith('/')) this.#soil(path, path, call);
      else this.#judge(call);
    } else {
      const [from = '', to] = strings(call.args);
      const named = to ?? from;
      if (to !== undefined) this.#move(from, to);
      if (call.name !== 'openat' || /O_EXCL|O_CREAT[^,]*O_TRUNC|O_TRUNC[^,]*O_CREAT/.test(call.args))
        this.#soil(dirname(named), named, call);
    }
  }

  end(begun: Call, result: string): void {
    const covered = this.#covers.get(begun);
    if (covered) {
      this.#covers.delete(begun);
      const path = pathOf(begun.args);
      if (result !== '0') return void this.wrong.push(`line ${begun.line}: ${begun.name} of ${path} failed: ${result}`);
      this.flushes += 1;
      for (const waited of covered) this.#dirty.get(path)?.delete(waited);
      if (covered.length > 0) this.#flushed.add(path);
      return;
    }
    if (begun.name === 'openat' && /O_D?SYNC/.test(begun.args)) this.#through.add(fdOf(result));
    else if (begun.name === 'openat') this.#through.delete(fdOf(result));
    const through = /^p?write/.test(begun.name) && this.#through.has(fdOf(begun.args));
    for (const waiting of this.#dirty.values()) {
      if (!waiting.has(begun)) continue;
      if (result.startsWith('-1') || through) waiting.delete(begun);
      else waiting.set(begun, true);
    }
    if (!through || result.startsWith('-1')) return;
    this.flushes += 1;
    this.#flushed.add(pathOf(begun.args));
  }

  #soil(waitsFor: string, path: string, call: Call): void {
    if (!this.#matters(path)) return;
    const waiting = this.#dirty.get(waitsFor) ?? new Map<Call, boolean>();
    this.#dirty.set(waitsFor, waiting.set(call, false));
  }

  /** What was written goes along with a new name; the old name need not last. */
  #move(from: string, to: string): void {
    const waiting = this.#dirty.get(from);
    this.#dirty.delete(from);
    if (waiting) this.#dirty.set(to, waiting);
    const names = this.#dirty.get(dirname(from));
    for (const made of names?.keys() ?? []) if (strings(made.args).at(-1) === from) names?.delete(made);
  }

  #judge(call: Call): void {
    const said = strings(call.args)[0] ?? '';
    for (const { name, says, files } of this.#answers) {
      if (!says.test(said)) continue;
      this.told.set(name, (this.told.get(name) ?? 0) + 1);
      const say = (text: string): void => void this.wrong.push(`line ${call.line}: ${name} was told, but ${text}`);
      for (const [path, waiting] of this.#dirty) {
        for (const { line, name: how } of waiting.keys()) say(`${path} was not flushed after line ${line} (${how})`);
      }
      for (const file of files) if (![...this.#flushed].some((path) => file.test(path))) say(`no ${file} was written and flushed`);
      this.#flushed = new Set();
    }
  }
}

/** `trace` is the output of `strace -f -y -ttt`, as Latin-1. */
export function readTrace(trace: string, options: { readonly data: string; readonly answers: readonly Answer[] }): TraceReport {
  const reader = new Reader(options);
  const running = new Map<string, Call>();
  let calls = 0;
  for (const [index, text] of trace.split('\n').entries()) {
    const line = index + 1;
    const [, thread = '', rest = ''] = /^(\d+) +[\d.]+ (.*)$/.exec(text) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>.*= ([^=]*)$/.exec(rest);
    const begun = running.get(thread);
    if (resumed && begun) {
      running.delete(thread);
      reader.end(begun, resumed[1] ?? '');
      continue;
    }
    const [, name, args] = /^(\w+)\((.*)$/.exec(rest) ?? [];
    if (name === undefined || args === undefined) continue;
    calls += 1;
    const unfinished = args.endsWith('<unfinished ...>');
    const result = unfinished ? undefined : (/= ([^=]*)$/.exec(args)?.[1] ?? '');
    const call: Call = { line, name, args, result };
    reader.begin(call);
    if (result === undefined) running.set(thread, call);
    else reader.end(call, result);
  }
  return { calls, flushes: reader.flushes, told: reader.told, wrong: reader.wrong };
}
