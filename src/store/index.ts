export { type OpenStore, openStore, type StoreOptions } from './open-store.ts';
export type * from './port.ts';
export { type StoreSettings, storeSettings } from './settings.ts';
