export { createImapd, type Imapd, type ImapdOptions } from './imapd.ts';
export { type ImapdSettings, imapdSettings } from './settings.ts';
