export { smtpcSettings } from './settings.ts';
