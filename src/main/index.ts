export type { ComponentStatus } from '../responder/index.ts';
export { type Config, controlPath, type DoorName, parseConfig, readConfig, type Where } from './config.ts';
export { basesOfConfig, serviceOptions } from './config-directory.ts';
export type { ServerStatus } from './control.ts';
export type { FirstStart } from './first-start.ts';
export type { HistoryDifference, HistoryLine, HistoryQuestion, PlainValue, UndoReport } from './history.ts';
export type { Server, StartOptions } from './server.ts';
export { historyOffline, startServer, undoOffline } from './start.ts';
export { version } from './version.ts';
