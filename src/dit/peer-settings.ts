/**
 * What is agreed with other hosts: `cn=peers`. The entry declared here is the one that holds for everybody; further ones have its class and
 * are named by a host, a domain or addresses.
 */

import { boolean, choice, declareSettings, integer } from '../settings/index.ts';

/** A limit below this would refuse ordinary mail (manual chapter 3, "Maximum Message Size"). */
export const leastSize = 8_192;

const size = (attribute: string, label: string, help: string) =>
  integer({
    attribute,
    label,
    help: `${help} 0 is no limit of its own; others are 8,192 and more.`,
    spec: 'manual chapter 3, "Maximum Message Size"; checklist SMTPC-14; RFC 1870',
    default: 0,
    min: 0,
    max: 2_147_483_647,
    unit: 'octets',
  });

/** What no conversion touches. */
const guarded = 'What is signed, encrypted or a report is never altered.';

export const peerSettings = declareSettings({
  objectClass: 'mtPeer',
  entry: 'cn=default,cn=peers',
  title: 'Peers',
  help: 'What holds for other hosts. An entry below cn=peers is named (cn) by a host or domain, which means everything below it too, by an address, a range of addresses (first-last) or a prefix (address/bits). The most specific entry that says something decides: address, range, host, domain, the domains above it, and at last cn=default, which cannot be removed.',
  settings: {
    accept: boolean({
      attribute: 'mtPeerAccept',
      label: 'Accept mail',
      help: 'Off: HELO and EHLO of this peer are refused with 550.',
      spec: 'manual chapter 3, "Accept Mail"; checklist SMTPD-10',
      default: true,
    }),
    transmit: boolean({
      attribute: 'mtPeerTransmit',
      label: 'Transmit mail',
      help: 'Off: mail for this peer goes back to its sender.',
      spec: 'manual chapter 3, "Transmit Mail"; checklist SMTPC-14',
      default: true,
    }),
    queueFirst: boolean({
      attribute: 'mtPeerQueueFirst',
      label: 'Queue mail before attempting delivery',
      help: 'On: mail waits for the queue run of this peer, or for its ETRN, before the first attempt.',
      spec: 'manual chapter 3, "SMTPC Profile"; checklist SMTPC-03, SMTPC-14',
      default: false,
    }),
    queueInterval: integer({
      attribute: 'mtPeerQueueInterval',
      label: 'Queue run interval',
      help: 'A deferred message is tried again after this time; the wait grows with its age.',
      spec: 'manual chapter 3, "Queue run interval"; checklist SMTPC-02, SMTPC-14',
      default: 15,
      min: 1,
      max: 10_080,
      unit: 'minutes',
    }),
    retryPeriod: integer({
      attribute: 'mtPeerRetryPeriod',
      label: 'Retry period',
      help: 'A message that could not be sent for this long goes back to its sender.',
      spec: 'manual chapter 3, "Retry period"; checklist SMTPC-02, SMTPC-14; RFC 5321 §4.5.4.1',
      default: 72,
      min: 1,
      max: 720,
      unit: 'hours',
    }),
    sessions: integer({
      attribute: 'mtPeerSessions',
      label: 'Maximum sessions',
      help: 'Connections to this peer at one time, for each domain whose mail goes there.',
      spec: 'manual chapter 3, "Maximum sessions"; checklist SMTPC-14',
      default: 5,
      min: 1,
      max: 100,
      unit: 'sessions',
    }),
    messagesPerSession: integer({
      attribute: 'mtPeerMessagesPerSession',
      label: 'Messages in a session',
      help: 'As many messages are sent over a connection before it is closed.',
      spec: 'manual chapter 3, "Maximum number of messages per session"; checklist SMTPC-01, SMTPC-14',
      default: 6,
      min: 1,
      max: 1_000,
      unit: 'messages',
    }),
    inboundSize: size('mtPeerInboundSize', 'Maximum message size, inbound', 'A larger message from this peer is refused.'),
    outboundSize: size('mtPeerOutboundSize', 'Maximum message size, outbound', 'A larger message for this peer goes back to its sender.'),
    keepSpamHeaders: boolean({
      attribute: 'mtPeerKeepSpamHeaders',
      label: 'Keep anti-spam headers',
      help: "What this server noted about spam in a message's header goes to this peer with it; else it is taken out.",
      spec: 'manual chapter 3, "Anti-SPAM Header"; checklist SMTPC-14',
      default: false,
    }),
    toMac: boolean({
      attribute: 'mtPeerConvertToMac',
      label: 'Convert non-MAC files to MAC format',
      help: `Other attachments get an Apple header and an empty resource fork and are encoded as mtPeerAppleEncoding says (as AppleDouble where that is unchanged). Without effect where Apple attachments lose theirs (mtPeerConvertFromMac). ${guarded}`,
      spec: 'manual chapter 3, "Outbound Attachment Option"; checklist SMTPC-14',
      default: false,
    }),
    fromMac: boolean({
      attribute: 'mtPeerConvertFromMac',
      label: 'Convert MAC files to non-MAC format',
      help: `Apple attachments (AppleSingle, AppleDouble, BinHex, MacBinary) lose their header and resource fork and become ordinary ones. ${guarded}`,
      spec: 'manual chapter 3, "Outbound Attachment Option"; checklist SMTPC-14',
      default: false,
    }),
    withoutMime: boolean({
      attribute: 'mtPeerWithoutMime',
      label: 'Generate non-MIME messages',
      help: `For systems older than MIME: text as it is, attachments written into it by uuencode, Apple ones by BinHex, or by uuencode where mtPeerAppleEncoding says so. ${guarded}`,
      spec: 'manual chapter 3, "Generate non-MIME mail message"; checklist SMTPC-14',
      default: false,
    }),
    notesAsAttachment: boolean({
      attribute: 'mtPeerNotesAsAttachment',
      label: 'Send encapsulated Notes mail as attachment',
      help: 'Of a message that came from Notes (channel NOTESOUT) the native part travels beside text and attachments; off: it is left out.',
      spec: 'manual chapter 3, "Send encapsulated NotesMail as file attachment"; checklist SMTPC-14',
      default: false,
    }),
    nativeEncoding: choice({
      attribute: 'mtPeerNativeEncoding',
      label: 'Native attachment encoding',
      help: `How attachments that are not Apple's are encoded: as they came, or by uuencode. ${guarded}`,
      spec: 'manual chapter 3, "Native Attachment Encoding"; checklist SMTPC-14',
      choices: ['mime', 'uuencode'],
      default: 'mime',
    }),
    appleEncoding: choice({
      attribute: 'mtPeerAppleEncoding',
      label: 'Apple attachment encoding',
      help: `How Apple attachments are encoded. ${guarded}`,
      spec: 'manual chapter 3, "Apple Attachment Encoding"; checklist SMTPC-14',
      choices: ['unchanged', 'applesingle', 'appledouble', 'binhex', 'uuencode-applesingle', 'base64-macbinary', 'uuencode-macbinary'],
      default: 'unchanged',
    }),
    tls: choice({
      attribute: 'mtPeerTls',
      label: 'Encryption',
      help: 'Whether mail to this peer is encrypted: as cn=smtpc says, never, where it is offered, always (mail waits where it is not offered), or always with a certificate that is good. What DANE and MTA-STS ask for comes on top, but not of a peer with off or opportunistic.',
      spec: 'checklist SMTPC-12; RFC 3207',
      choices: ['smtpc', 'off', 'opportunistic', 'required', 'verified'],
      default: 'smtpc',
    }),
  },
});
