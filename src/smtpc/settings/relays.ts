/**
 * Mail relay hosts and the log-in at each of them.
 *
 * Source: manual chapter 6 "Mail Routing Options", "SMTP Auth - Client Support"; checklist SMTPC-06
 */

import { hostSetting, hostSettingHelp, namesHost } from '../../base/index.ts';
import { boolean, choice, integer, text } from '../../settings/index.ts';

const host = (attribute: string, label: string, help: string) =>
  text({
    attribute,
    label,
    help: `${help} A name or an address in brackets, and a port after a colon where it is not the usual one.`,
    spec: 'SMTPC-06',
    default: '',
    max: 300,
    pattern: new RegExp(`(|${hostSetting.source})`),
    valid: (value) => value === '' || namesHost(value),
    patternHelp: hostSettingHelp,
  });

const user = (attribute: string, label: string) =>
  text({
    attribute,
    label,
    help: 'Name for logging in at this relay host. Empty: no log-in.',
    spec: 'SMTPC-06, RFC 4954',
    default: '',
    max: 500,
  });

const password = (attribute: string, label: string) =>
  text({
    attribute,
    label,
    help: 'Password for logging in at this relay host. Can be written, and read by the server alone.',
    spec: 'SMTPC-06, RFC 4954',
    default: '',
    max: 1_000,
    secret: true,
  });

const security = (attribute: string, label: string) =>
  choice({
    attribute,
    label,
    help: 'Encryption on the way to this relay host: as for other hosts, never, where it is offered, always, or always and with a good certificate. `tls` encrypts from the first octet (port 465) and asks for a good certificate too.',
    spec: 'SMTPC-06, SMTPC-12, RFC 8314 §3.3',
    choices: ['smtpc', 'off', 'opportunistic', 'required', 'verified', 'tls'],
    default: 'smtpc',
  });

const minutes = (attribute: string, label: string, help: string, initial: number) =>
  integer({ attribute, label, help, spec: 'SMTPC-06', default: initial, min: 0, max: 10_080, unit: 'minutes' });

export const relays = {
  relayHost: host(
    'mtSmtpcRelayHost',
    'Primary mail relay host',
    'Takes mail for names that do not resolve, or all mail, as the name resolution says.',
  ),
  relayUser: user('mtSmtpcRelayUser', 'Primary relay host: user'),
  relayPassword: password('mtSmtpcRelayPassword', 'Primary relay host: password'),
  relayTls: security('mtSmtpcRelayTls', 'Primary relay host: encryption'),
  secondaryRelay: boolean({
    attribute: 'mtSmtpcSecondaryRelay',
    label: 'Use the secondary mail relay host',
    help: 'While the primary relay host is unavailable, the secondary one is used.',
    spec: 'SMTPC-06',
    default: true,
  }),
  secondaryRelayHost: host('mtSmtpcSecondaryRelayHost', 'Secondary mail relay host', 'Used while the primary one is unavailable.'),
  secondaryRelayUser: user('mtSmtpcSecondaryRelayUser', 'Secondary relay host: user'),
  secondaryRelayPassword: password('mtSmtpcSecondaryRelayPassword', 'Secondary relay host: password'),
  secondaryRelayTls: security('mtSmtpcSecondaryRelayTls', 'Secondary relay host: encryption'),
  relaySwitchOver: minutes(
    'mtSmtpcRelaySwitchOver',
    'Time to the secondary relay host',
    'How long the primary relay host must have been unavailable before the secondary one is used. 0: at its first failure.',
    5,
  ),
  relaySwitchBack: minutes(
    'mtSmtpcRelaySwitchBack',
    'Time to try the primary relay host again',
    'While the secondary relay host is used, the primary one is tried again this long after its last failure. 0: with every connection.',
    30,
  ),
  relayAuth: boolean({
    attribute: 'mtSmtpcRelayAuth',
    label: 'Log in at relay hosts',
    help: 'Off: no log-in, whatever names and passwords say.',
    spec: 'SMTPC-06',
    default: true,
  }),
  relayPlainPassword: boolean({
    attribute: 'mtSmtpcRelayPlainPassword',
    label: 'Send relay passwords unencrypted',
    help: 'Without it the ways of logging in that send the password itself (PLAIN, LOGIN) are used over encrypted connections alone.',
    spec: 'SMTPC-06, RFC 4954 §4',
    default: false,
  }),
};
