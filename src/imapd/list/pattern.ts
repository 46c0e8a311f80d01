/**
 * LIST's wildcards: `*` matches anything, `%` anything but the hierarchy separator.
 *
 * Takes time in proportion to name × pattern whatever the pattern: no backtracking. INBOX matches in any case. Pure.
 * Spec: RFC 3501 §6.3.8
 */

export type Matcher = (name: string) => boolean;

export function compilePattern(pattern: string): Matcher {
  // A run of wildcards is one wildcard, `*` if it holds one.
  const simple = pattern.replace(/[*%]{2,}/g, (run) => (run.includes('*') ? '*' : '%')).replace(/^inbox(?=$|[/*%])/i, 'INBOX');
  const parts = [...simple];
  return (name) => matches(parts, name);
}

/** `states[i]`: the first i parts of the pattern match what was read so far. */
function matches(parts: readonly string[], name: string): boolean {
  let states = new Uint8Array(parts.length + 1);
  let next = new Uint8Array(parts.length + 1);
  states[0] = 1;
  close(states, parts);
  for (const c of name) {
    next.fill(0);
    for (let i = 0; i < parts.length; i++) {
      if (!states[i]) continue;
      const part = parts[i];
      if (part === '*' || (part === '%' && c !== '/')) next[i] = 1;
      else if (part === c) next[i + 1] = 1;
    }
    close(next, parts);
    [states, next] = [next, states];
  }
  return states[parts.length] === 1;
}

/** A wildcard may match nothing. */
function close(states: Uint8Array, parts: readonly string[]): void {
  for (let i = 0; i < parts.length; i++) if (states[i] && (parts[i] === '*' || parts[i] === '%')) states[i + 1] = 1;
}
