export { queueNames } from './inspect.ts';
export { type OpenQueue, openQueue, type QueueNeeds } from './open.ts';
export type * from './port.ts';
