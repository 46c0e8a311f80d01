/** Own object classes of the domain tree and of the system context: data, not settings. */

import { outputChannels } from '../base/index.ts';
import { type AttributeDeclaration, declareClass } from '../settings/index.ts';
import { blacklistClass, dkimKeyClass, mailAuthDomainClass, spammerClass } from './policy-classes.ts';

export const permissions = ['none', 'send', 'receive', 'send-receive'] as const;
/** What an account may do: receive mail, send it by submission, or both. */
export const accountPermissions = ['send', 'receive', 'send-receive'] as const;

export const containerClass = declareClass({
  name: 'mtContainer',
  kind: 'structural',
  must: ['cn'],
  may: ['description'],
  title: 'Container',
  help: 'Holds other entries and says nothing itself.',
});

/** What a domain may have: the limit, what is counted, and the computed attribute that shows it. */
const limits = [
  ['mtDomainMaxUsers', 'Users', 'How many users the domain may have.', 'mtDomainUsers'],
  ['mtDomainMaxSharedAccounts', 'Shared accounts', 'How many shared accounts the domain may have.', 'mtDomainSharedAccounts'],
  ['mtDomainMaxLists', 'Lists', 'How many distribution lists the domain may have.', 'mtDomainLists'],
  [
    'mtDomainMaxStoreQuota',
    'Store quota',
    'Octets that the mailboxes of the domain may be given together (the sum of mailQuotaSize). With it every account needs a quota of its own.',
    'mtDomainStoreQuota',
  ],
  [
    'mtDomainMaxWebQuota',
    'Web folder quota',
    'Octets that the web folders of the domain may be given together (the sum of mtWebFolderQuota). With it every web folder needs a quota of its own.',
    'mtDomainWebQuota',
  ],
].map(([attribute = '', label = '', help = '', used = '']) => ({ attribute, label, help, used }));

const limitAttributes: readonly AttributeDeclaration[] = [
  ...limits.map(({ attribute, label, help }) => ({
    attribute,
    syntax: 'integer' as const,
    single: true,
    range: [0, 999_999_999_999_999] as const,
    label: `${label}, at most`,
    help: `${help} Without a value there is no limit; 0 switches them off. Sub-domains count. A limit below what is there keeps more from coming.`,
    spec: 'manual chapter 7; checklist DOM-01',
  })),
  ...limits.map(({ label, used }) => ({
    attribute: used,
    syntax: 'integer' as const,
    single: true,
    operational: true,
    label: `${label}, used`,
    help: 'Counted by the server; of a mail domain, and to be asked for by name or with +.',
    spec: 'manual chapter 7; checklist DOM-01',
  })),
  {
    attribute: 'mtDomainStoreWithoutQuota',
    syntax: 'integer',
    single: true,
    operational: true,
    label: 'Accounts without quota',
    help: 'How many accounts of the domain have a mailbox without a quota of its own. Counted by the server.',
    spec: 'manual chapter 7; checklist DOM-01',
  },
];

export const mailDomainClass = declareClass({
  name: 'mtMailDomain',
  kind: 'auxiliary',
  may: [
    'mtDomainAlias',
    'mtSubdomains',
    'mtSubdomainsOnly',
    ...limits.map(({ attribute }) => attribute),
    'mailMessageStore',
    'mtWebFolderDirectory',
    'description',
  ],
  title: 'Mail domain',
  help: 'Makes a domain entry a local mail domain.',
  attributes: [
    {
      attribute: 'mtDomainAlias',
      syntax: 'ascii',
      single: true,
      label: 'Alias of',
      help: 'This domain is another name for that one: an address here that does not exist is looked up there.',
      spec: 'checklist MTA-05',
    },
    {
      attribute: 'mtSubdomains',
      syntax: 'boolean',
      single: true,
      label: 'Sub-domains too',
      help: 'All sub-domains, however deep, are local with this domain; one with an entry of its own goes by that.',
      spec: 'manual chapter 3, "Local Domains"; checklist MTA-01',
    },
    {
      attribute: 'mtSubdomainsOnly',
      syntax: 'boolean',
      single: true,
      label: 'Only the sub-domains',
      help: 'All sub-domains are local, the domain itself is not: the entry *.ima.com of a list of local domains.',
      spec: 'manual chapter 3, "Local Domains"; checklist MTA-01',
    },
    ...limitAttributes,
  ],
});

export const mailUserClass = declareClass({
  name: 'mtMailUser',
  kind: 'auxiliary',
  may: [
    'mail',
    'mailLocalAddress',
    'mtMailAddress',
    'mailRoutingAddress',
    'mailHost',
    'mailForwardingAddress',
    'mailQuotaSize',
    'mailSizeMax',
    'accountStatus',
    'mtAccountPermission',
    'mailMessageStore',
    'mtWebFolder',
    'mtWebFolderDirectory',
    'mtWebFolderQuota',
    'userPassword',
    'displayName',
    'uid',
    'description',
  ],
  title: 'Mail user',
  help: 'Adds mail addresses, routing and a mailbox to any person entry.',
  attributes: [
    {
      attribute: 'mtAccountPermission',
      syntax: 'text',
      single: true,
      choices: accountPermissions,
      label: 'Account permission',
      help: 'send: only sends, mail for it is refused; receive: only receives; send-receive, or nothing: both.',
      spec: 'manual chapter 4, "User Permission"; checklist STORE-01',
    },
    {
      attribute: 'mtWebFolder',
      syntax: 'boolean',
      single: true,
      label: 'Web folder',
      help: 'Whether the user has a web folder.',
      spec: 'manual chapter 4, "Web folder Permission"; checklist STORE-01',
    },
    {
      attribute: 'mtWebFolderDirectory',
      syntax: 'text',
      single: true,
      label: 'Web folder directory',
      help: 'Where the files of the web folder are kept.',
      spec: 'manual chapter 4, "Web Folder Root Directory"; checklist STORE-01',
    },
    {
      attribute: 'mtWebFolderQuota',
      syntax: 'integer',
      single: true,
      label: 'Web folder quota',
      help: 'Octets the web folder may hold; without a value no limit.',
      spec: 'manual chapter 4, "Web Folder Quota"; checklist STORE-01',
    },
    {
      attribute: 'mtMailAddress',
      syntax: 'text',
      label: 'International address',
      help: 'An address with characters beyond ASCII (RFC 6531); unique in the tree together with mail and mailLocalAddress.',
      spec: 'RFC 6531',
    },
  ],
});

export const sharedAccountClass = declareClass({
  name: 'mtSharedAccount',
  kind: 'auxiliary',
  may: ['member', 'uniqueMember', 'description'],
  title: 'Shared account',
  help: 'Marks the mailbox of a mail user as one that several people share: it counts as a shared account of its domain and not as a user.',
});

export const mailAliasClass = declareClass({
  name: 'mtMailAlias',
  kind: 'structural',
  must: ['mailForwardingAddress'],
  may: ['cn', 'mail', 'mailLocalAddress', 'mtMailAddress', 'description'],
  title: 'Alias',
  help: 'An address without a mailbox whose mail goes to one or many others.',
});

export const connectorClass = declareClass({
  name: 'mtConnector',
  kind: 'structural',
  must: ['cn', 'mtChannel'],
  may: ['mtIdentifier', 'mtPermission', 'description'],
  title: 'Connector',
  help: 'Below an address: one way its mail goes.',
  attributes: [
    {
      attribute: 'mtChannel',
      syntax: 'text',
      single: true,
      choices: outputChannels,
      label: 'Channel',
      help: 'Output channel that takes the mail.',
      spec: 'manual chapter 5, "Connectors"; checklist DIR-09',
    },
    {
      attribute: 'mtIdentifier',
      syntax: 'text',
      single: true,
      label: 'Identifier',
      help: 'What the channel calls the recipient: an account for LOCAL, an address for the others.',
      spec: 'manual chapter 5, "Connectors"; checklist DIR-09',
    },
    {
      attribute: 'mtPermission',
      syntax: 'text',
      single: true,
      choices: permissions,
      label: 'Permission',
      help: 'What may be done by this connector: none, send, receive or send-receive. LOCAL knows none and receive; DL, SMTPC and BSMTPOUT ignore it.',
      spec: 'manual chapter 5, "Connectors"; checklist DIR-09',
    },
  ],
});

export const forwardingClass = declareClass({
  name: 'mtForwarding',
  kind: 'structural',
  must: ['cn', 'mtChannel'],
  may: ['mtIdentifier', 'description'],
  title: 'Domain forwarding',
  help: 'All mail for the domain named by cn goes to a channel; *.abc.net means all sub-domains of abc.net. LOCAL and DL take what the directory does not know.',
});

export const administratorClass = declareClass({
  name: 'mtAdministrator',
  kind: 'structural',
  must: ['cn', 'userPassword'],
  may: ['description', 'mail'],
  title: 'Administrator',
  help: 'Somebody who may administer: everything below cn=admins, one domain directly below its entry.',
});

export const ditClasses = [
  containerClass,
  mailDomainClass,
  mailUserClass,
  sharedAccountClass,
  mailAliasClass,
  connectorClass,
  forwardingClass,
  blacklistClass,
  spammerClass,
  mailAuthDomainClass,
  dkimKeyClass,
  administratorClass,
];
