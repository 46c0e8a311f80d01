/**
 * The last arc of every own OID: `schema/numbers.tsv`, one line each, append-only.
 *
 * A number once given is never given again and never moves: schemas and other servers remember it.
 */

export type NumberKind = 'attribute' | 'class';
/** `kind name` → number. */
export type Numbers = ReadonlyMap<string, number>;

export function parseNumbers(text: string): Numbers {
  const numbers = new Map<string, number>();
  const taken = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [kind, number, name] = line.split('\t');
    if ((kind !== 'attribute' && kind !== 'class') || !number || !/^[1-9]\d*$/.test(number) || !name)
      throw new Error(`numbers.tsv:${index + 1}: not kind, number, name`);
    if (taken.has(`${kind} ${number}`) || numbers.has(`${kind} ${name}`)) throw new Error(`numbers.tsv:${index + 1}: given before`);
    taken.add(`${kind} ${number}`);
    numbers.set(`${kind} ${name}`, Number(number));
  }
  return numbers;
}

export function numberOf(numbers: Numbers, kind: NumberKind, name: string): number {
  const number = numbers.get(`${kind} ${name}`);
  if (number === undefined) throw new Error(`${kind} ${name} has no number in schema/numbers.tsv: run npm run generate`);
  return number;
}

/** The file's text with lines appended for names that have no number yet. */
export function withNumbersFor(
  text: string,
  names: { readonly attributes: readonly string[]; readonly classes: readonly string[] },
): string {
  const numbers = parseNumbers(text);
  let result = text;
  const append = (kind: NumberKind, list: readonly string[]): void => {
    let next = Math.max(0, ...[...numbers].filter(([key]) => key.startsWith(`${kind} `)).map(([, n]) => n));
    for (const name of list) if (!numbers.has(`${kind} ${name}`)) result += `${kind}\t${++next}\t${name}\n`;
  };
  append('attribute', names.attributes);
  append('class', names.classes);
  return result;
}
