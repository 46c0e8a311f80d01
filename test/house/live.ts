/**
 * Whether every setting of mail transfer is changed by a test of a whole server.
 *
 * Named is not seen: that the test changes it over LDAP while the server runs and sees what that does is for its author and its reviewer. What is
 * named nowhere is surely not seen. A name counts where it stands as a string or as the key of an object, not within a pattern or a comment.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mtaSettings, peerSettings, serverSettings } from '../../src/dit/index.ts';
import { mailAuthSettings } from '../../src/mail-auth/index.ts';
import { moduleDeclarations, preprocessorSettings } from '../../src/preprocessor/index.ts';
import { components } from '../../src/responder/index.ts';
import type { SettingsDeclaration } from '../../src/settings/index.ts';
import { smtpcSettings } from '../../src/smtpc/index.ts';
import { smtpdSettings } from '../../src/smtpd/index.ts';

/** Whose settings are under the rule. A room that has live tests for all of its own is added here. */
const underTheRule: readonly SettingsDeclaration[] = [
  serverSettings,
  mtaSettings,
  peerSettings,
  preprocessorSettings,
  ...moduleDeclarations,
  smtpdSettings,
  mailAuthSettings,
  smtpcSettings,
  listeners(components.SMTPD),
] as readonly SettingsDeclaration[];

/** Where a component listens; when it is started is the responder's. */
function listeners(declaration: SettingsDeclaration): SettingsDeclaration {
  const own = Object.entries(declaration.settings).filter(([, { attribute }]) => attribute.endsWith('Listen'));
  return { ...declaration, settings: Object.fromEntries(own) };
}

const folders = ['test/journeys', 'test/interop'];

/** One line for each setting that no test of a whole server names. */
export function neverSeenLive(): string[] {
  const texts = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(folder, file), 'utf8')),
  );
  const named = new Set(
    texts.flatMap((text) => [...text.matchAll(/'(mt[A-Za-z0-9]+)'|\b(mt[A-Za-z0-9]+):/g)].map((found) => found[1] ?? found[2])),
  );
  return underTheRule.flatMap(({ entry, settings }) =>
    Object.values(settings)
      .filter(({ attribute }) => !named.has(attribute))
      .map(({ attribute }) => `${entry} ${attribute}: no test in ${folders.join(' or ')} changes it on a running server`),
  );
}
