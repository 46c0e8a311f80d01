import { knownControls } from './commands/index.ts';

export type { Virtual } from './command.ts';
export { supportedExtensions } from './commands/extended.ts';
export { createLdapd, type Ldapd, type LdapdOptions, type TlsMaterial } from './ldapd.ts';
export { type LdapdSettings, ldapdSettings } from './settings.ts';
/** OIDs for `supportedControl` of the root DSE. */
export const supportedControls: readonly string[] = knownControls.map(({ oid }) => oid);
