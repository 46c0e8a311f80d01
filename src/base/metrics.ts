/**
 * Counters of this process, and the text in which Prometheus reads them.
 *
 * Promise: counting is one look into a map; a counter has a bounded number of series whatever strangers send: further values of its
 * labels count as `other`. What is measured when asked (lengths, sizes, states) is handed over as samples by who asks.
 * Counters belong to the process, like its memory: a room makes its own at the top of the file that counts (docs/decisions/0017).
 * Spec: Prometheus text exposition format 0.0.4
 */

export interface Counter {
  /** One value for each label, in their order. */
  count(...values: readonly string[]): void;
  /** The same by more than one. */
  add(amount: number, ...values: readonly string[]): void;
}

/** A number with its labels, taken when asked. */
export interface Sample {
  /** In Prometheus' form: `mailtree_queue_recipients`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

const mostSeries = 500;
const separator = '\u0000';

interface Kept {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly series: Map<string, number>;
}

const kept = new Map<string, Kept>();

/** Makes a counter; its name ends in `_total`. `known` series are there with 0 from the start, so that their first event is a rise. */
export function counter(
  name: string,
  help: string,
  labels: readonly string[] = [],
  known: readonly (readonly string[])[] = labels.length === 0 ? [[]] : [],
): Counter {
  if (kept.has(name)) throw new Error(`there are two counters ${name}`);
  const series = new Map<string, number>(known.map((values) => [values.join(separator), 0]));
  kept.set(name, { name, help, labels, series });
  const add = (amount: number, key: string): void => {
    const now = series.get(key);
    if (now !== undefined) series.set(key, now + amount);
    else if (series.size < mostSeries) series.set(key, amount);
    else {
      const other = labels.map(() => 'other').join(separator);
      series.set(other, (series.get(other) ?? 0) + amount);
    }
  };
  return {
    count: (...values) => add(1, values.length === 1 ? (values[0] ?? '') : values.join(separator)),
    add: (amount, ...values) => add(amount, values.join(separator)),
  };
}

const inHelp = (text: string): string => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
const inLabel = (text: string): string => inHelp(text).replace(/"/g, '\\"');

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}

/** One metric with HELP and TYPE. */
export function sampleText({ name, help, type, values }: Sample): string {
  const lines = values.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${inLabel(text)}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${number(value)}`;
  });
  return `${[`# HELP ${name} ${inHelp(help)}`, `# TYPE ${name} ${type}`, ...lines].join('\n')}\n`;
}

/** All counters of this process, by name. */
export function metricsText(): string {
  const counters = [...kept.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return counters
    .map(({ name, help, labels, series }) => {
      const values = [...series].map(([key, value]) => {
        const texts = key.split(separator);
        return { labels: Object.fromEntries(labels.map((label, n) => [label, texts[n] ?? ''])), value };
      });
      return sampleText({ name, help, type: 'counter', values });
    })
    .join('');
}
