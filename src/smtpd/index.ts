export { connectionRule } from './policy/client.ts';
export { relayLeave, relayRule } from './policy/relay.ts';
export type { Judge, ListenerKind, SmtpdSettings } from './session.ts';
export { smtpdSettings } from './settings/index.ts';
export { createSmtpd, type Smtpd, type SmtpdOptions } from './smtpd.ts';
