export type { ComponentStatus } from '../responder/index.ts';
export { type Config, type DoorName, parseConfig, readConfig, type Where } from './config.ts';
export type { ServerStatus } from './control.ts';
export type { FirstStart } from './first-start.ts';
export { controlPath, type Server, type StartOptions, startServer } from './server.ts';
export { version } from './version.ts';
