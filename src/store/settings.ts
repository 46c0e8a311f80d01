/** What an administrator can set about the message store. */

import { declareSettings, integer, type SettingsOf, text } from '../settings/index.ts';

const folder = (attribute: string, label: string, use: string, name: string) =>
  text({
    attribute,
    label,
    help: `Name of the mailbox that a new account gets for ${use}. Mailboxes that exist keep their name.`,
    default: name,
    max: 60,
    pattern: /[^/%*#\u0000-\u001f\u007f]+/,
    patternHelp: 'a name without / % * # and control characters',
    spec: 'RFC 6154 §2',
  });

export const storeSettings = declareSettings({
  objectClass: 'mtStore',
  entry: 'cn=store',
  title: 'Message store',
  help: 'Accounts, mailboxes and messages. Limits protect the server from runaway clients; they take effect for new mailboxes and messages.',
  settings: {
    mailboxLimit: integer({
      attribute: 'mtStoreMailboxLimit',
      label: 'Mailboxes per account',
      help: 'Most mailboxes one account may have. The same number of subscriptions again is allowed.',
      default: 5000,
      min: 20,
      max: 50_000,
      unit: 'mailboxes',
    }),
    messageLimit: integer({
      attribute: 'mtStoreMessageLimit',
      label: 'Messages per mailbox',
      help: 'Most messages one mailbox may hold. Mail for a full mailbox waits in the queue.',
      default: 1_000_000,
      min: 1000,
      max: 10_000_000,
      unit: 'messages',
    }),
    deliveryMemoryDays: integer({
      attribute: 'mtStoreDeliveryMemory',
      label: 'Memory of deliveries',
      help: 'How long the store remembers which queue entries it has delivered, so that none is delivered twice. Must be longer than any message stays in the queue.',
      default: 14,
      min: 4,
      max: 365,
      unit: 'days',
    }),
    draftsName: folder('mtStoreDraftsName', 'Name of Drafts', 'messages being written', 'Drafts'),
    sentName: folder('mtStoreSentName', 'Name of Sent', 'copies of what was sent', 'Sent'),
    junkName: folder('mtStoreJunkName', 'Name of Junk', 'unwanted mail', 'Junk'),
    trashName: folder('mtStoreTrashName', 'Name of Trash', 'deleted messages', 'Trash'),
    archiveName: folder('mtStoreArchiveName', 'Name of Archive', 'messages put aside', 'Archive'),
  },
});

export type StoreSettings = SettingsOf<(typeof storeSettings)['settings']>;
