export * from './entry.ts';
export * from './port.ts';
