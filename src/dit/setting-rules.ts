/**
 * Values of settings that a pattern in the schema cannot judge: ranges of two families, brackets around what is no address.
 *
 * Promise: what a component would pass over is refused when it is written, by the same function it is read with. A value that stood there
 * before keeps nobody from changing another one.
 */

import { DirectoryFault, type WriteRule } from '../directory/index.ts';
import type { Dn } from '../ldap-wire/index.ts';
import { isValid, type ListSetting, type SettingsDeclaration, type TextSetting } from '../settings/index.ts';

export function settingRule(systemBase: Dn, declarations: readonly SettingsDeclaration[]): WriteRule {
  const judged = new Map<string, TextSetting | ListSetting>();
  for (const { settings } of declarations)
    for (const setting of Object.values(settings))
      if ((setting.type === 'text' || setting.type === 'list') && setting.valid) judged.set(setting.attribute, setting);
  return async ({ before, after }) => {
    if (!after?.dn.isWithin(systemBase)) return;
    for (const [attribute, setting] of judged) {
      const old = before?.texts(attribute) ?? [];
      const wrong = after.texts(attribute).find((value) => !old.includes(value) && !isValid(setting, value));
      if (wrong === undefined) continue;
      const shown = `"${wrong.slice(0, 100)}"`;
      throw new DirectoryFault(
        'constraintViolation',
        `attribute ${attribute}: ${shown} is not ${setting.patternHelp ?? 'of the required form'}`,
      );
    }
  };
}
