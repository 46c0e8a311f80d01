export { spellingProblem } from './path.ts';
export { connectionRule } from './policy/client.ts';
export { DailyCounts, exceeds } from './policy/daily.ts';
export { listingsOf } from './policy/dns-bl.ts';
export { relayLeave, relayRule } from './policy/relay.ts';
export { senderDomainProblem } from './policy/sender.ts';
export type { Judge, ListenerKind, SmtpdSettings } from './session.ts';
export { smtpdSettings } from './settings/index.ts';
export { createSmtpd, type Smtpd, type SmtpdOptions } from './smtpd.ts';
