export { type InputChannel, inputChannels, type OutputChannel, outputChannels } from './channels.ts';
export { type Cancel, type Clock, ManualClock, type Random, systemClock } from './clock.ts';
export type { Component } from './component.ts';
export { asFault, Fault, type FaultKind, type Reply, replies, replyOf } from './fault.ts';
export { constant, type Live, LiveValue } from './live.ts';
export { createLog, type Log, type LogLevel, type LogSink, logLevels, logStamp, oneLine, silentLog } from './log.ts';
