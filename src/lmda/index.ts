export { createLmda, type LmdaNeeds } from './lmda.ts';
export * from './settings.ts';
