export { createPop3d, type Pop3d, type Pop3dOptions } from './pop3d.ts';
export { type Pop3dSettings, pop3dSettings } from './settings.ts';
