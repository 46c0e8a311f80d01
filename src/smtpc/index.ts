export { resolverFromSettings } from './dns.ts';
export { smtpcSettings } from './settings.ts';
export { createSmtpc, type SmtpcOptions, type SmtpcSettings } from './smtpc.ts';
