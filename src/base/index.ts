export { accessList } from './access-list.ts';
export { type AddressRange, parseAddressRange } from './address-range.ts';
export { hostSetting, hostSettingHelp, ipPattern, listenPattern, namesHost, serverPattern } from './address-shapes.ts';
export { parseAge } from './age.ts';
export { type InputChannel, inputChannels, type OutputChannel, outputChannels } from './channels.ts';
export { type Cancel, type Clock, ManualClock, type Random, systemClock } from './clock.ts';
export type { Component } from './component.ts';
export { isShortage } from './descriptors.ts';
export type { DnsServer } from './dns-exchange.ts';
export { errorCode } from './error-code.ts';
export { FailedLogins } from './failed-logins.ts';
export { asFault, Fault, type FaultKind, type Reply, replies, replyOf } from './fault.ts';
export { makeFolders } from './folders.ts';
export { clientNetwork, type IpSet, ipSet, isAddressRange } from './ip-set.ts';
export { createListener, type Listener, type ListenerOptions, openConnections, peerAddress } from './listener.ts';
export { type Place, placeName } from './listener-bind.ts';
export { constant, type Live, LiveValue } from './live.ts';
export {
  createLog,
  jsonLine,
  type Log,
  type LogFields,
  type LogLevel,
  type LogRecord,
  type LogSink,
  logLevels,
  logStamp,
  oneLine,
  silentLog,
  textLine,
} from './log.ts';
export { Lru } from './lru.ts';
export { type Counter, counter, metricsText, type Sample, sampleText } from './metrics.ts';
export { onDemand } from './on-demand.ts';
export { generatePassword } from './password.ts';
export { actsForAnother, decodePlain, isLoopback, readPlain } from './plain-login.ts';
export {
  createResolver,
  type DnsAnswer,
  type MxRecord,
  type Resolver,
  type ResolverOptions,
  reversedAddress,
  type TlsaRecord,
} from './resolver.ts';
export { shareOf } from './resolver-share.ts';
export { saslprep } from './saslprep.ts';
export { readClientFinal, readClientFirst, serverFinal, serverFirst } from './scram.ts';
export { scramClient } from './scram-client.ts';
export { createSessionDoor, type DoorSession, type SessionDoorNeeds } from './session-door.ts';
export { severalAtOnce } from './several-at-once.ts';
export { startTls } from './start-tls.ts';
