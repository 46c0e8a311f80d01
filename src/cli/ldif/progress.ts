/** How far a long piece of work has come, on standard error: in place on a terminal, a line every few seconds elsewhere. */

const onTerminal = 200;
const elsewhere = 5_000;

export interface ProgressOptions {
  /** `import`, `check` … */
  readonly what: string;
  /** Between 0 and 1, where somebody knows. */
  readonly part?: () => number | undefined;
  readonly clock?: () => number;
  readonly output?: { isTTY?: boolean; write(text: string): unknown };
}

export class Progress {
  readonly #options: ProgressOptions;
  readonly #clock: () => number;
  readonly #output: NonNullable<ProgressOptions['output']>;
  readonly #begun: number;
  #last: number;
  #shown = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#output = options.output ?? process.stderr;
    this.#begun = this.#clock();
    this.#last = this.#begun;
  }

  /** Tells, if it is time. */
  at(entries: number): void {
    const now = this.#clock();
    if (now - this.#last < (this.#output.isTTY ? onTerminal : elsewhere)) return;
    this.#last = now;
    this.#shown = true;
    const part = this.#options.part?.();
    const percent = part === undefined ? '' : `, ${Math.floor(part * 100)} %`;
    const line = `${this.#options.what}: ${count(entries)} entries, ${count(rate(entries, now - this.#begun))} a second${percent}`;
    this.#output.write(this.#output.isTTY ? `\r${line}\u001b[K` : `${line}\n`);
  }

  /** Takes the line away before others are written. */
  end(): void {
    if (this.#shown && this.#output.isTTY) this.#output.write('\r\u001b[K');
    this.#shown = false;
  }

  /** Seconds so far, as text. */
  get seconds(): string {
    return ((this.#clock() - this.#begun) / 1000).toFixed(1);
  }
}

const rate = (entries: number, ms: number): number => (ms > 0 ? Math.round((entries * 1000) / ms) : 0);

/** `12,345` */
export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',');
}
