/** What SMTPD offers: ESMTP and its extensions, ways to log in, and the commands that tell things. */

import { boolean } from '../../settings/index.ts';

const extension = (attribute: string, name: string, help: string, spec: string) =>
  boolean({ attribute, label: `Offer ${name}`, help, spec, default: true });

export const extensions = {
  esmtp: boolean({
    attribute: 'mtSmtpdEsmtp',
    label: 'Offer ESMTP',
    help: 'Answers EHLO. Off: only HELO, and none of the extensions.',
    spec: 'SMTPD-01',
    default: true,
  }),
  offerSize: extension(
    'mtSmtpdOfferSize',
    'SIZE',
    'Announces the largest message, so that clients need not send one that is too large. Off: SMTPC does not use SIZE either.',
    'RFC 1870',
  ),
  offer8BitMime: extension('mtSmtpdOffer8BitMime', '8BITMIME', 'Lets clients send text with octets above 127.', 'RFC 6152'),
  offerDsn: extension(
    'mtSmtpdOfferDsn',
    'DSN',
    'Lets clients ask for delivery status notifications. Off: SMTPC does not ask other hosts for them either.',
    'RFC 3461',
  ),
  offerSmtpUtf8: extension('mtSmtpdOfferSmtpUtf8', 'SMTPUTF8', 'Lets clients use addresses and headers in UTF-8.', 'RFC 6531'),
  offerPipelining: extension('mtSmtpdOfferPipelining', 'PIPELINING', 'Lets clients send several commands at once.', 'RFC 2920'),
  offerStartTls: extension('mtSmtpdOfferStartTls', 'STARTTLS', 'Lets clients encrypt a connection. Needs a certificate.', 'RFC 3207'),
  offerAuth: extension('mtSmtpdOfferAuth', 'AUTH', 'Lets users log in, with the mechanisms below.', 'RFC 4954'),
  vrfy: boolean({
    attribute: 'mtSmtpdVrfy',
    label: 'Answer VRFY',
    help: 'Tells anybody who asks whether an address exists. Off by default, as address collectors use it; the answer is then 252.',
    spec: 'SMTPD-11',
    default: false,
  }),
  expn: boolean({
    attribute: 'mtSmtpdExpn',
    label: 'Answer EXPN',
    help: 'Tells anybody who asks whether an address is a list or an alias, and its targets. Off by default, as it gives away who is on it; the answer is then 550.',
    spec: 'SMTPD-11',
    default: false,
  }),
  offerChunking: extension(
    'mtSmtpdOfferChunking',
    'CHUNKING',
    'Lets clients send a message in chunks of announced length (BDAT).',
    'RFC 3030',
  ),
  offerEnhancedStatus: extension(
    'mtSmtpdOfferEnhancedStatus',
    'ENHANCEDSTATUSCODES',
    'Tells clients that replies carry codes such as 5.1.1, and puts them there.',
    'RFC 2034',
  ),
  offerEtrn: extension(
    'mtSmtpdOfferEtrn',
    'ETRN',
    'Lets a host ask for the mail that waits for its domain: it is tried at once, by the usual way.',
    'SMTPD-12, RFC 1985',
  ),
  authPlain: extension('mtSmtpdAuthPlain', 'PLAIN', 'Lets users log in with PLAIN.', 'SMTPD-01, RFC 4616'),
  authScram: boolean({
    attribute: 'mtSmtpdAuthScram',
    label: 'Offer SCRAM-SHA-256',
    help: 'Lets users log in with SCRAM-SHA-256, which sends no password. Accounts with an imported password have to log in once with PLAIN or LOGIN before. Not offered with an external directory.',
    spec: 'RFC 7677',
    default: true,
  }),
  authLogin: extension('mtSmtpdAuthLogin', 'LOGIN', 'Lets users log in with LOGIN, the older form of PLAIN.', 'SMTPD-01'),
};
