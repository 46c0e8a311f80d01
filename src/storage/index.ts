export { lastNumbers, nextNumbers, type TakenNumbers } from './counters.ts';
export { type BlobsOptions, type FileBlobs, openBlobs } from './file-blobs.ts';
export { join } from './join.ts';
export * from './keys.ts';
export { type KeyValueOptions, type LevelKeyValue, openKeyValue } from './level-key-value.ts';
export * from './port.ts';
