/** What can be set about mail authentication. Source: checklist MTA-24 */

import { ipPattern, isAddressRange } from '../base/index.ts';
import { boolean, choice, declareSettings, integer, list, type SettingsOf, text } from '../settings/index.ts';

export const treatments = ['none', 'tag', 'quarantine', 'reject'] as const;
export type Treatment = (typeof treatments)[number];

const domains = {
  pattern: /[A-Za-z0-9\u0080-\uffff_-]+(\.[A-Za-z0-9\u0080-\uffff_-]+)*/,
  patternHelp: 'a domain name',
};

const checking = {
  verify: boolean({
    attribute: 'mtMailAuthVerify',
    label: 'Verify mail from outside',
    help: 'Mail from other hosts is checked with the methods below, and what was found is written into its header (Authentication-Results). Mail of users who have logged in and of hosts that may relay is not checked.',
    default: true,
  }),
  spf: boolean({
    attribute: 'mtMailAuthSpf',
    label: 'SPF',
    help: 'Whether the host may send mail for the domain of the sender and for the name it gives in HELO.',
    spec: 'RFC 7208',
    default: true,
  }),
  dkim: boolean({
    attribute: 'mtMailAuthDkim',
    label: 'DKIM',
    help: 'Whether the signatures of a message hold.',
    spec: 'RFC 6376',
    default: true,
  }),
  dmarc: boolean({
    attribute: 'mtMailAuthDmarc',
    label: 'DMARC',
    help: 'Whether SPF or DKIM vouches for the domain in From. Needs at least one of the two.',
    spec: 'RFC 7489',
    default: true,
  }),
  arc: boolean({
    attribute: 'mtMailAuthArc',
    label: 'ARC',
    help: 'Whether what earlier hosts found out about a message is sealed. What they say counts only of hosts in mtMailAuthTrustedSealer.',
    spec: 'RFC 8617',
    default: true,
  }),
  trustedSealers: list({
    attribute: 'mtMailAuthTrustedSealer',
    label: 'Trusted ARC sealers',
    help: 'Domains of mailing lists and forwarders that are believed: a message that fails DMARC is taken as if it passed where all who sealed it back to one that saw DMARC pass are in this list.',
    spec: 'RFC 8617 §7.2',
    default: [],
    ...domains,
  }),
  exempt: list({
    attribute: 'mtMailAuthExempt',
    label: 'Not checked',
    help: 'Network addresses whose mail is not checked: own gateways, second mail exchangers, forwarders that change the sender.',
    default: ['127.0.0.1', '::1'],
    pattern: ipPattern,
    valid: isAddressRange,
    patternHelp: 'an address (192.0.2.1), a range (192.0.2.1-192.0.2.9) or a network (192.0.2.0/24); IPv6 likewise',
  }),
};

const acting = {
  dmarcFail: choice({
    attribute: 'mtMailAuthDmarcFail',
    label: 'Mail that fails DMARC',
    help: 'published: what the owner of the domain asks for. none: only Authentication-Results. tag: the field X-Mailtree-Authentication, too. quarantine: that, and it goes into the folder for unwanted mail. reject: it is refused. Entries below cn=mailauth,cn=mta say otherwise for single domains.',
    spec: 'RFC 7489 §6.3',
    choices: ['published', ...treatments],
    default: 'published',
  }),
  spfFail: choice({
    attribute: 'mtMailAuthSpfFail',
    label: 'Mail that fails SPF',
    help: 'What happens to mail whose sender does not allow the host (fail; softfail is never acted upon), and for which DMARC says nothing better: where DMARC passes the message is taken.',
    spec: 'RFC 7208 §8.4',
    choices: treatments,
    default: 'none',
  }),
  temporary: choice({
    attribute: 'mtMailAuthTemporary',
    label: 'While the DNS does not answer',
    help: 'accept: mail is taken, with temperror in its header. defer: it is put off with 451 where the answer could decide about it, so that the other side tries again.',
    spec: 'RFC 7489 §6.6.2',
    choices: ['accept', 'defer'],
    default: 'accept',
  }),
  removeForged: boolean({
    attribute: 'mtMailAuthRemoveForged',
    label: 'Remove forged results',
    help: 'Authentication-Results that pretend to be of this server, and other fields by which it tags mail, are taken out of what comes in from anywhere.',
    spec: 'RFC 8601 §5',
    default: true,
  }),
  authservId: text({
    attribute: 'mtMailAuthServId',
    label: 'Name in the results',
    help: 'Under which name results are written (authserv-id). Hosts that trust one another have the same. Without a value: the name of this host.',
    spec: 'RFC 8601 §2.5',
    default: '',
    ...domains,
    max: 253,
  }),
};

const limits = {
  minKeyBits: integer({
    attribute: 'mtMailAuthMinKeyBits',
    label: 'Shortest RSA key',
    help: 'Signatures with a shorter key do not count.',
    spec: 'RFC 8301 §3.2',
    default: 1_024,
    min: 512,
    max: 4_096,
    unit: 'bits',
  }),
  partial: boolean({
    attribute: 'mtMailAuthPartialBody',
    label: 'Accept partly signed bodies',
    help: 'Whether a signature counts that leaves out the end of the body (l=): anybody could add something there.',
    spec: 'RFC 6376 §8.2',
    default: false,
  }),
  signatures: integer({
    attribute: 'mtMailAuthSignatures',
    label: 'Signatures looked at',
    help: 'How many signatures of a message are verified at most; those of the domain in From come first.',
    spec: 'RFC 6376 §6.1',
    default: 10,
    min: 1,
    max: 50,
    unit: 'signatures',
  }),
  timeLimit: integer({
    attribute: 'mtMailAuthTime',
    label: 'Time limit',
    help: 'How long is waited for the DNS after the end of a message; what is not known by then counts as a temporary error.',
    default: 15,
    min: 1,
    max: 120,
    unit: 'seconds',
  }),
};

const signing = {
  sign: boolean({
    attribute: 'mtDkimSign',
    label: 'Sign outgoing mail',
    help: 'Mail to other hosts from users who have logged in, from programs of this host and from hosts that may relay is signed with the active keys of the domain in From (mailtree dkim).',
    spec: 'RFC 6376',
    default: true,
  }),
  validDays: integer({
    attribute: 'mtDkimValidDays',
    label: 'Validity of signatures',
    help: 'After how many days a signature says it is no longer valid (x=); 0 for never.',
    spec: 'RFC 6376 §3.5',
    default: 0,
    min: 0,
    max: 365,
    unit: 'days',
  }),
};

export const mailAuthSettings = declareSettings({
  objectClass: 'mtMailAuth',
  entry: 'cn=mailauth,cn=mta',
  title: 'Mail authentication',
  help: 'SPF, DKIM, DMARC and ARC of mail that comes in, and signatures of mail that goes out. Changes hold for the next message.',
  settings: { ...checking, ...acting, ...limits, ...signing },
});

export type MailAuthSettings = SettingsOf<(typeof mailAuthSettings)['settings']>;
