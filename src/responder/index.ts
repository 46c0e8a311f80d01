export { type ComponentPolicy, type ComponentState, type ComponentStatus, Responder } from './responder.ts';
export { type ComponentName, components } from './settings.ts';
