export { accountPermissions, ditClasses, permissions } from './classes.ts';
export { type DkimKey, dkimBase, dkimKeyOf, dkimName, dkimNameText, type KeyState, keyStates, mailAuthBase } from './mail-auth.ts';
export { type DitOptions, type OpenDit, openDit } from './open.ts';
export { leastSize, peerSettings } from './peer-settings.ts';
export { type PeerName, Peers, peerName } from './peers.ts';
export type * from './port.ts';
export { mtaSettings, serverSettings } from './settings.ts';
export { blacklistBase, spammerBase } from './strangers.ts';
export { type PlatformBases, platformRules } from './write-rules.ts';
