export type { Service } from './app.ts';
export { createWeb, type WebComponentOptions } from './web.ts';
