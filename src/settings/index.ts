export * from './declare.ts';
export * from './schema-declare.ts';
