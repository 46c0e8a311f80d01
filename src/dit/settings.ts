/** Settings of the server as a whole (manual chapter 2, "Server Configuration") and of the MTA's routing (chapter 3). */

import { logLevels, outputChannels } from '../base/index.ts';
import { choice, declareSettings, integer, list, text } from '../settings/index.ts';

const hostName = /[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*/;

export const serverSettings = declareSettings({
  objectClass: 'mtServer',
  entry: 'cn=server',
  title: 'Server',
  help: 'What the whole installation goes by.',
  settings: {
    host: text({
      attribute: 'mtHostName',
      label: 'Host name',
      default: 'localhost',
      pattern: hostName,
      patternHelp: 'a host name',
      help: 'Fully qualified name of this host: in greetings, Received headers, message ids and reports.',
      spec: 'checklist SRV-04; RFC 5321 §2.3.5',
    }),
    domain: text({
      attribute: 'mtLocalDomain',
      label: 'Local domain',
      default: 'localdomain',
      pattern: hostName,
      patternHelp: 'a domain name',
      help: 'Domain that completes a login name or a recipient without one.',
      spec: 'checklist SRV-04',
    }),
    logLevel: choice({
      attribute: 'mtLogLevel',
      label: 'Logging level',
      choices: logLevels,
      default: 'message',
      help: 'How much is logged; each level includes those before it.',
      spec: 'manual chapter 10, "Levels of Logging"; checklist SRV-05',
    }),
    logFileSize: integer({
      attribute: 'mtLogFileSize',
      label: 'Log file size',
      default: 500_000,
      min: 0,
      max: 2_000_000_000,
      unit: 'octets',
      help: 'At this size the current log file is put aside under a name of its own and a new one begun. 0 is no limit; other values under 10,240 count as 10,240.',
      spec: 'manual chapter 2; checklist SRV-07',
    }),
    dnsServers: list({
      attribute: 'mtDnsServer',
      label: 'DNS servers',
      default: [],
      pattern: /(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?/,
      patternHelp: 'an IPv4 address or an IPv6 address in brackets, with :port where it is not 53',
      help: 'Asked in this order. Without any, the servers of the operating system are asked.',
      spec: 'manual chapter 6, "Mail Routing Options"; checklist SMTPC-05',
    }),
  },
});

export const mtaSettings = declareSettings({
  objectClass: 'mtMta',
  entry: 'cn=mta',
  title: 'MTA',
  help: 'Routing policy of the message transfer agent.',
  settings: {
    defaultLocalChannel: choice({
      attribute: 'mtDefaultLocalChannel',
      label: 'Default local delivery channel',
      choices: outputChannels,
      default: 'LOCAL',
      help: 'Where mail for a local address goes that has no connector of its own.',
      spec: 'manual chapter 3; checklist MTA-02',
    }),
    unknownLocalChannel: choice({
      attribute: 'mtUnknownLocalChannel',
      label: 'Channel for unknown local recipients',
      choices: ['bounce', 'SMTPC', 'CCIN', 'NOTESIN'] as const,
      default: 'bounce',
      help: 'What happens to mail for a local domain whose recipient the directory does not know: refused, or handed to a channel that can take it.',
      spec: 'checklist MTA-03',
    }),
    internetChannel: choice({
      attribute: 'mtInternetChannel',
      label: 'Internet delivery channel',
      choices: ['SMTPC', 'BSMTPOUT'] as const,
      default: 'SMTPC',
      help: 'Where mail for other domains goes.',
      spec: 'manual chapter 3; checklist MTA-02',
    }),
    postmaster: text({
      attribute: 'mtPostmaster',
      label: 'Notification address',
      default: '',
      pattern: /([^\s@]+@[^\s@]+)?/,
      patternHelp: 'an address, or nothing',
      help: 'Who gets notifications, and mail for postmaster at a local domain that has no such address. Without it, postmaster at the local domain.',
      spec: 'manual chapter 3; checklist MTA-10; RFC 5321 §4.5.1',
    }),
  },
});
