/**
 * What MTA-STS records and policies say.
 *
 * Promise: only what the grammar allows is a record or a policy; unknown fields of good form are passed over, of a field given twice the
 * first counts. Pure. Spec: RFC 8461 §3.1, §3.2, §4.1
 */

export type StsMode = 'enforce' | 'testing' | 'none';

export interface StsPolicy {
  readonly mode: StsMode;
  /** Lower case: a host, or `*.` and a domain for hosts one label below it. */
  readonly mx: readonly string[];
  /** Seconds. */
  readonly maxAge: number;
  /** Its lines as they came, for reports. */
  readonly lines: readonly string[];
}

/** A year, RFC 8461 §3.2. */
const longestAge = 31_557_600;
const mostMx = 200;
/** Of a record; its fields need far less, and looking for them in what a stranger fills with blanks would take its time. */
const longestRecord = 4_096;

/** The id of a domain's policy; undefined where it has none (or not just one, §3.1). */
export function stsId(records: readonly string[]): string | undefined {
  const own = records.filter((one) => /^v=STSv1[ \t]*;/.test(one));
  const [text] = own;
  if (own.length !== 1 || text === undefined || text.length > longestRecord) return undefined;
  const fields = text.split(/[ \t]*;[ \t]*/).slice(1);
  if (fields.at(-1) === '') fields.pop();
  let id: string | undefined;
  for (const field of fields) {
    const [, name = '', value = ''] = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<>-~]+)$/.exec(field) ?? [];
    if (name === '') return undefined;
    if (name !== 'id' || id !== undefined) continue;
    if (!/^[A-Za-z0-9]{1,32}$/.test(value)) return undefined;
    id = value;
  }
  return id;
}

const label = '[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?';
const mxPattern = new RegExp(`^(\\*\\.)?${label}(\\.${label})*$`);

/** A policy, or what is wrong with the text. */
export function parseStsPolicy(text: string): StsPolicy | { readonly wrong: string } {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const said = new Map<string, string>();
  const mx: string[] = [];
  for (const [n, line] of lines.entries()) {
    const [, name = '', value = ''] =
      /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*([^\u0000-\u0020\u007f](?:[^\u0000-\u001f\u007f]*[^\u0000-\u0020\u007f])?)[ \t]*$/.exec(
        line,
      ) ?? [];
    if (name === '') return { wrong: `line ${n + 1} is not "name: value"` };
    if (name !== 'mx') {
      if (!said.has(name)) said.set(name, value);
      continue;
    }
    if (!mxPattern.test(value)) return { wrong: `line ${n + 1}: the host of mx is neither a name nor "*." and a domain` };
    if (mx.length < mostMx) mx.push(value.toLowerCase());
  }
  const [version, mode, age] = ['version', 'mode', 'max_age'].map((name) => said.get(name));
  if (version !== 'STSv1') return { wrong: version === undefined ? 'version is missing' : 'version is not STSv1' };
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none')
    return { wrong: mode === undefined ? 'mode is missing' : 'mode is none of enforce, testing, none' };
  if (age === undefined) return { wrong: 'max_age is missing' };
  if (!/^\d{1,10}$/.test(age)) return { wrong: 'max_age is not a number of seconds' };
  if (mx.length === 0 && mode !== 'none') return { wrong: 'mx is missing' };
  return { mode, mx, maxAge: Math.min(Number(age), longestAge), lines: lines.slice(0, mostMx + 20) };
}

/** Whether a policy allows the host; `*` stands for one label (§4.1, RFC 6125 §6.4.3). */
export function allowsMx({ mx }: Pick<StsPolicy, 'mx'>, host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  const above = name.slice(name.indexOf('.') + 1);
  return mx.some((one) => (one.startsWith('*.') ? name.includes('.') && one.slice(2) === above : one === name));
}
