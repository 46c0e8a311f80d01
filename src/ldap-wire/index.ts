export type * from './dn.ts';
export type * from './filter.ts';
