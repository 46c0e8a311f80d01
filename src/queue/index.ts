export { queueNames } from './inspect.ts';
export { type OpenQueue, openQueue, type QueueNeeds } from './open.ts';
export type * from './port.ts';
export { createReporter, isNotice, type ReportEntry, type Reporter, type ReporterNeeds, type ReportOptions, wanted } from './reports.ts';
export { backOff, createWorker, leaseLost, type Worker, type WorkerNeeds } from './worker.ts';
