export { type Difference, describeDone, differences } from './differences.ts';
export { type ExportFormat, exportedEntry } from './export.ts';
export { type Done, type ImportOptions, type ImportSummary, importRecords } from './import.ts';
export { LdapTarget } from './ldap-target.ts';
export { LocalTarget } from './local-target.ts';
export type { Addition, Outcome, Target, Write } from './target.ts';
