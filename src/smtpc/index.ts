export { type SmtpcSettings, smtpcSettings } from './settings/index.ts';
export { createSmtpc, type SmtpcOptions } from './smtpc.ts';
