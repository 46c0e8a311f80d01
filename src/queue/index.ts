export { ClockWatch } from './clock-watch.ts';
export type { ControlNeeds } from './control/control.ts';
export { addressTest, asIdentifier, recipientStates } from './control/filter.ts';
export type * from './control-port.ts';
export { isQueueId } from './ids.ts';
export { queueNames, queueReader } from './inspect.ts';
export { type OpenQueue, openQueue, type QueueNeeds } from './open.ts';
export type * from './port.ts';
export { readStory, type StoryRead } from './read-story.ts';
export { type RebuildMode, type RebuildReport, rebuildQueue } from './rebuild.ts';
export { createReportLimit, type ReportLimit } from './report-limit.ts';
export {
  createReporter,
  isNotice,
  noticeProtocol,
  type ReportEntry,
  type Reporter,
  type ReporterNeeds,
  type ReportOptions,
  wanted,
} from './reports.ts';
export {
  fromStoryWord,
  originWords,
  type RouteTaken,
  type Step,
  type StoryLine,
  shownAtMost,
  steps,
  storyWord,
  tellStep,
  withWords,
} from './story.ts';
export { backOff, countedFrom, createWorker, leaseLost, unreadable, type Worker, type WorkerNeeds } from './worker.ts';
