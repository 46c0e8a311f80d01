/** The files that are made from declarations, with what they should hold now. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { baseLdif } from '../../src/main/base-ldif.ts';
import { declared } from '../../src/main/declarations.ts';
import { declaredNames, parseNumbers, referencePage, schemaText, withNumbersFor } from '../../src/settings/index.ts';
import { cnConfigSchema, slapdConfSchema } from './openldap-schema.ts';
import { schemaPage } from './schema-page.ts';

const numbersFile = 'schema/numbers.tsv';
type Layer = Record<string, string>;

export interface Generated {
  readonly file: string;
  readonly text: string;
}

export function generated(): Generated[] {
  const numbers = withNumbersFor(readFileSync(numbersFile, 'utf8'), declaredNames(declared));
  const own = schemaText(declared, parseNumbers(numbers));
  return [
    { file: numbersFile, text: numbers },
    { file: 'schema/mailtree.schema', text: own },
    { file: 'schema/openldap/mailtree.schema', text: slapdConfSchema(own) },
    { file: 'schema/openldap/mailtree.ldif', text: cnConfigSchema('mailtree', own) },
    { file: 'schema/openldap/mail.ldif', text: cnConfigSchema('mail', readFileSync('schema/mail.schema', 'utf8')) },
    { file: 'ldif/base.ldif', text: baseLdif() },
    { file: 'docs/settings.md', text: referencePage(declared.settings, 'cn=mailtree') },
    { file: 'docs/schema.md', text: schemaPage(declared, own) },
    { file: 'docs/map.md', text: mapPage() },
    { file: 'docs/standards.md', text: standardsPage() },
  ];
}

function mapPage(): string {
  const layers = JSON.parse(readFileSync('src/rooms.json', 'utf8')) as Layer[];
  const lines = [
    '# Map',
    '',
    "The rooms (folders of `src/`) and their layers. A room imports only from lines above its own, through the other room's `index.ts`; a test holds it.",
    'Generated from `src/rooms.json` by `npm run generate`.',
    '',
    '| line | room | owns |',
    '|---|---|---|',
  ];
  const present = new Set(readdirSync('src'));
  for (const [n, layer] of layers.entries()) {
    for (const [room, owns] of Object.entries(layer)) {
      lines.push(`| ${n + 1} | ${present.has(room) ? `[${room}](../src/${room}/README.md)` : `${room} (to come)`} | ${owns} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** RFC section → files that follow it, from `Spec:` lines and `spec:` fields. */
function standardsPage(): string {
  const rows = new Map<string, Set<string>>();
  for (const file of sources('src')) {
    for (const [number, section] of citations(readFileSync(file, 'utf8'))) {
      const key = `${number.padStart(5)} ${section}`;
      rows.set(key, (rows.get(key) ?? new Set()).add(relative('.', file)));
    }
  }
  const lines = [
    '# Standards',
    '',
    'Which file follows which section. Generated from the `Spec:` lines in `src/` by `npm run generate`.',
    '',
    '| RFC | section | files |',
    '|---|---|---|',
  ];
  for (const key of [...rows.keys()].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    const files = [...(rows.get(key) ?? [])].map((file) => `[${file.slice(4)}](../${file})`).join(', ');
    lines.push(`| ${key.slice(0, 5).trim()} | ${key.slice(6)} | ${files} |`);
  }
  return `${lines.join('\n')}\n`;
}

function citations(text: string): [rfc: string, section: string][] {
  const found: [string, string][] = [];
  for (const match of text.matchAll(/(?:Spec:|spec: ')(.*(?:\n \* {2}.*)*)/g)) {
    for (const cite of (match[1] ?? '').matchAll(/RFC (\d{3,5})((?: §[\d.]+(?:[–-][\d.]+)?(?:, )?)*)/g)) {
      const sections = [...(cite[2] ?? '').matchAll(/§([\d.]*\d)/g)].map((m) => m[1] ?? '');
      for (const section of sections.length > 0 ? sections : ['']) found.push([cite[1] ?? '', section]);
    }
  }
  return found;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => a.name.localeCompare(b.name, 'en'))
    .flatMap((item) =>
      item.isDirectory() ? sources(join(folder, item.name)) : /\.tsx?$/.test(item.name) ? [join(folder, item.name)] : [],
    );
}
