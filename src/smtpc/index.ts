export { type SmtpcSettings, smtpcSettings } from './settings.ts';
export { createSmtpc, type SmtpcOptions } from './smtpc.ts';
