export { lastNumbers, nextNumbers, type TakenNumbers } from './counters.ts';
export { type DataDirectory, openDataDirectory } from './data-directory.ts';
export { type BlobsOptions, type FileBlobs, openBlobs } from './file-blobs.ts';
export { join } from './join.ts';
export * from './keys.ts';
export { type KeyValueOptions, type LevelKeyValue, openKeyValue } from './level-key-value.ts';
export * from './port.ts';
export { Reclaimer, type ReclaimerOptions, type ReclaimReport } from './reclaimer.ts';
export { dereference, reference, referencesTo } from './references.ts';
