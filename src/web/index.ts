export type { Service } from './app.ts';
export type { Failing, Monitor } from './monitor.ts';
export type { QueueDoor } from './queue.ts';
export { createWeb, type WebComponentOptions } from './web.ts';
