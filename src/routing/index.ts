export { splitAddress } from './address.ts';
export type * from './port.ts';
export { createRouter, type RoutingDit } from './route.ts';
