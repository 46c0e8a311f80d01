/** The reference page of all settings (`docs/settings.md`), made from the declarations. */

import type { Setting, SettingsDeclaration } from './declare.ts';
import { defaultValues } from './schema.ts';

export function referencePage(declarations: readonly SettingsDeclaration[], systemBase: string): string {
  const lines = [
    '# Settings',
    '',
    'Every setting, by the entry that holds it. Generated from the declarations in `src/` by `npm run generate`.',
    '',
    'All of them are changed with any LDAP tool and take effect within a second, without a restart, unless the text says otherwise.',
    'An attribute that is missing from its entry has its default. Example:',
    '',
    '```ldif',
    `dn: cn=smtpd,${systemBase}`,
    'changetype: modify',
    'replace: mtSmtpdGreeting',
    'mtSmtpdGreeting: Welcome',
    '```',
  ];
  for (const declaration of declarations) lines.push('', ...section(declaration, systemBase));
  return `${lines.join('\n')}\n`;
}

function section(declaration: SettingsDeclaration, systemBase: string): string[] {
  return [
    `## ${declaration.title}`,
    '',
    `\`${declaration.entry},${systemBase}\` · object class \`${declaration.objectClass}\``,
    '',
    declaration.help,
    '',
    '| attribute | meaning | values | default |',
    '|---|---|---|---|',
    ...Object.values<Setting>(declaration.settings).map(row),
  ];
}

/** Of where a setting comes from, administrators are shown what they can look up: the standards. */
function standardsOf(spec: string | undefined): string {
  const cited = (spec ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith('RFC '));
  return cited.length > 0 ? `(${cited.join('; ')})` : '';
}

const cell = (text: string): string => text.replace(/\|/g, '\\|').replace(/\n/g, ' ');

function row(setting: Setting): string {
  const defaults =
    defaultValues(setting)
      .map((value) => `\`${cell(value)}\``)
      .join(' ') || '(empty)';
  const help = [
    `**${setting.label}.** ${setting.help}`,
    setting.restart ? 'Takes effect at the next start of the component.' : '',
    standardsOf(setting.spec),
  ];
  return `| \`${setting.attribute}\` | ${cell(help.filter(Boolean).join(' '))} | ${cell(allowed(setting))} | ${defaults} |`;
}

function allowed(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return `${setting.min} to ${setting.max}${setting.unit ? ` ${setting.unit}` : ''}`;
    case 'boolean':
      return 'TRUE, FALSE';
    case 'choice':
      return setting.choices.join(', ');
    case 'list':
      return `any number; ${setting.patternHelp ?? 'text'}`;
    case 'text':
      return setting.patternHelp ?? (setting.secret ? 'text, never shown' : 'text');
  }
}
