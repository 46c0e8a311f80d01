export * from './declare.ts';
export { type DefaultEntry, defaultEntries } from './default-ldif.ts';
export { type NumberKind, type Numbers, parseNumbers, withNumbersFor } from './numbers.ts';
export { formatValue, isValid, parseValue, type ReadSettings, readSettings, type ValuesOf } from './read.ts';
export { referencePage } from './reference.ts';
export { type Declared, declaredNames, schemaText } from './schema.ts';
export * from './schema-declare.ts';
