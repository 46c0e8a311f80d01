/** Questions to a name server by dig. */

import { tool } from '../tool.ts';

export interface Answer {
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL` …; undefined when nobody answered. */
  readonly status: string | undefined;
  /** The resolver says that the data is authentic (RFC 4035 §3.2.3). */
  readonly authentic: boolean;
  /** Data of the answers of the type that was asked for, as dig writes it. */
  readonly records: readonly string[];
}

export async function dig(
  prefix: readonly string[],
  at: { readonly address: string; readonly port: number },
  type: string,
  name: string,
  ...flags: readonly string[]
): Promise<Answer> {
  const args = [`@${at.address}`, '-p', String(at.port), '+tries=1', '+time=5', ...flags.map((flag) => `+${flag}`), '-t', type, '-q', name];
  const [program = '', ...rest] = [...prefix, 'dig', ...args];
  const { out } = await tool(program, rest);
  const found = [...out.matchAll(/^[^;\s]\S*\s+\d+\s+IN\s+(\S+)\s+(.*)$/gm)].filter(([, kind]) => kind === type);
  return {
    status: /status: ([A-Z]+)/.exec(out)?.[1],
    authentic: /^;; flags:[^;]* ad[ ;]/m.test(out),
    records: found.map(([, , data]) => (data ?? '').replace(/\s+/g, ' ')),
  };
}
