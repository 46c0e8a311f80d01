export { smtpcSettings } from './settings.ts';
export { createSmtpc, type SmtpcOptions, type SmtpcSettings } from './smtpc.ts';
