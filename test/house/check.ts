/** Fails when a generated file is stale, an OID has moved, a help text is missing or a setting is changed by no test of a whole server: part of `npm run check`. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { declared } from '../../src/main/declarations.ts';
import type { Setting } from '../../src/settings/index.ts';
import { generated } from './generated.ts';
import { neverSeenLive } from './live.ts';

const problems: string[] = [];

for (const { file, text } of generated()) {
  if (readFileSync(file, 'utf8') !== text) problems.push(`${file} is stale: npm run generate`);
}

// Numbers are append-only: what the last commit gave must stand where it stood.
try {
  const committed = execFileSync('git', ['show', 'HEAD:schema/numbers.tsv'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  if (!readFileSync('schema/numbers.tsv', 'utf8').startsWith(committed))
    problems.push('schema/numbers.tsv: a number moved; lines are only ever added at the end');
} catch {
  // Not a git checkout, or the file is new: nothing to compare with.
}

for (const declaration of declared.settings) {
  for (const [name, setting] of Object.entries<Setting>(declaration.settings)) {
    const what = `${declaration.entry} ${name}`;
    if (setting.help.length < 20 || !setting.help.endsWith('.')) problems.push(`${what}: the help text is missing or is not a sentence`);
    if (setting.label === '' || setting.label.endsWith('.')) problems.push(`${what}: the label is missing or ends in a full stop`);
    if (!/^mt[A-Z]/.test(setting.attribute)) problems.push(`${what}: ${setting.attribute} does not begin with mt`);
  }
}

problems.push(...neverSeenLive());

for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
