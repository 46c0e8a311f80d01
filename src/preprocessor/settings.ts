/** What can be set about the preprocessor and its modules. Source: manual chapter 3; checklist MTA-10, MTA-11, MTA-19 */

import { type InputChannel, inputChannels, ipPattern, isAddressRange, type OutputChannel, outputChannels } from '../base/index.ts';
import { boolean, declareSettings, integer, list, type SettingsOf } from '../settings/index.ts';

export const preprocessorSettings = declareSettings({
  objectClass: 'mtPreprocessor',
  entry: 'cn=preprocessor',
  title: 'Preprocessor',
  help: 'Routes accepted messages and runs the modules on them.',
  settings: {
    processors: integer({
      attribute: 'mtPreprocessorProcessors',
      label: 'Messages at a time',
      help: 'How many messages are worked on at the same time. More helps where modules wait for others, such as scanners.',
      default: 32,
      min: 1,
      max: 500,
      unit: 'messages',
    }),
    tries: integer({
      attribute: 'mtPreprocessorTries',
      label: 'Tries before holding',
      help: 'A message that makes routing or a module fail is tried this often; then it is held, the postmaster is told, and it is tried once a day.',
      default: 6,
      min: 1,
      max: 100,
      unit: 'tries',
      spec: 'checklist MTA-10',
    }),
    retryDelay: integer({
      attribute: 'mtPreprocessorRetryDelay',
      label: 'Delay of the first retry',
      help: 'How long a message waits after routing or a module failed. It doubles with every try, up to an hour.',
      default: 60,
      min: 1,
      max: 3600,
      unit: 'seconds',
    }),
    moduleTime: integer({
      attribute: 'mtPreprocessorModuleTime',
      label: 'Time of a module',
      help: 'How long a module may take for one message. One that takes longer has failed for it: the message waits and is tried again.',
      default: 600,
      min: 1,
      max: 86_400,
      unit: 'seconds',
      spec: 'checklist MTA-11',
    }),
    notifyPostmaster: boolean({
      attribute: 'mtNotifyCorrupt',
      label: 'Tell the postmaster of corrupt messages',
      help: 'The postmaster gets a message when one is held because it cannot be processed, or put aside because its record cannot be read.',
      default: true,
      spec: 'manual chapter 3, "Notify Postmaster on Corrupt Messages"; checklist MTA-10',
    }),
    queueAccess: list({
      attribute: 'mtQueueAccessMask',
      label: 'Message queue access mask',
      help: 'Hosts from which an administrator may work the message queue over the web door: addresses, ranges (first-last) and networks (address/bits). This host itself always may. Others are refused, and the log says so.',
      default: [],
      pattern: ipPattern,
      valid: isAddressRange,
      patternHelp: 'an IP address, a range such as 192.0.2.1-192.0.2.9 or a network such as 192.0.2.0/24',
      spec: 'manual chapter 3, "Message Queue Server Access Mask"; checklist MTA-09',
    }),
    copyBounces: boolean({
      attribute: 'mtCopyBounces',
      label: 'Bounces that cannot be sent go to the postmaster',
      help: 'A bounce that itself cannot be delivered, or whose sender is unknown, is dropped with a log line. With this the postmaster gets it.',
      default: false,
    }),
  },
});

export type PreprocessorSettings = SettingsOf<(typeof preprocessorSettings)['settings']>;

/** A cell of a Channel Action Matrix: messages from this input channel to this output channel. */
export type MatrixCell = `${InputChannel} ${OutputChannel}`;

/** Every cell of the matrix. */
export const wholeMatrix: readonly MatrixCell[] = inputChannels.flatMap((input) =>
  outputChannels.map((output): MatrixCell => `${input} ${output}`),
);

/** The matrix setting of a module: the cells for which it runs. */
export const matrixSetting = (attributePrefix: string, marked: readonly MatrixCell[]) =>
  list({
    attribute: `${attributePrefix}Matrix`,
    label: 'Channel Action Matrix',
    help: 'Pairs of input and output channel, one a value: SMTPD LOCAL. The module runs for messages that go this way. The one value none: it never runs; no value at all is the default.',
    default: marked,
    // `none` is a cell that no message is in.
    pattern: new RegExp(`none|(${inputChannels.join('|')}) (${outputChannels.join('|')})`),
    patternHelp: 'an input channel, a space and an output channel, or none',
    spec: 'manual chapter 3, "Channel Action Matrix"; checklist MTA-11',
  });

export const loopDetectionSettings = declareSettings({
  objectClass: 'mtLoopDetection',
  entry: 'cn=LoopDetection,cn=modules,cn=mta',
  title: 'Loop detection',
  help: 'Stops messages that pass through this host again and again.',
  settings: {
    matrix: matrixSetting('mtLoop', wholeMatrix),
    maximumTrips: integer({
      attribute: 'mtLoopMaximumTrips',
      label: 'Maximum trips',
      help: 'How many Received lines of this host a message may carry before it came in this time. One with more is bounced.',
      default: 10,
      min: 1,
      max: 99,
      unit: 'lines',
      spec: 'manual chapter 3, "Loop Detection"; checklist MTA-19',
    }),
    toPostmaster: boolean({
      attribute: 'mtLoopToPostmaster',
      label: 'Looping items to postmaster',
      help: 'Looping messages are bounced to the postmaster of this host instead of their sender.',
      default: false,
      spec: 'manual chapter 3, "Loop Detection"; checklist MTA-19',
    }),
  },
});

export type LoopDetectionSettings = SettingsOf<(typeof loopDetectionSettings)['settings']>;

/** Settings of all modules, for `main`. */
export const moduleDeclarations = [loopDetectionSettings] as const;
