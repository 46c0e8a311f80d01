export type * from './structure.ts';
