/** Asking other hosts to send what waits there for us. Source: manual chapter 2 "Enabling ETRN Support", chapter 6 "ETRN Support"; checklist SMTPC-11, SRV-11 */

import { hostSetting, hostSettingHelp, namesHost } from '../../base/index.ts';
import { boolean, integer, list } from '../../settings/index.ts';

const name = /@?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*|#[A-Za-z0-9._-]+/;

/** Whether a text names a host as these settings do, and a name that ETRN can ask for. */
export const isHostSetting = (text: string): boolean =>
  text.length <= 300 && new RegExp(`^(?:${hostSetting.source})$`).test(text) && namesHost(text);
export const isEtrnName = (text: string): boolean => text.length <= 300 && new RegExp(`^(?:${name.source})$`).test(text);

export const etrn = {
  etrnHosts: list({
    attribute: 'mtSmtpcEtrnHost',
    label: 'Send ETRN to these hosts',
    help: 'They are asked when SMTPC starts, and again at the interval, whether or not there is mail for them. Each a name or an address in brackets, with :port where it is not the usual one.',
    spec: 'SMTPC-11, SRV-11, RFC 1985',
    default: [],
    pattern: hostSetting,
    valid: namesHost,
    patternHelp: hostSettingHelp,
  }),
  etrnInterval: integer({
    attribute: 'mtSmtpcEtrnInterval',
    label: 'ETRN interval',
    help: 'How often the hosts are asked again. 0: when SMTPC starts, and at `mailtree etrn`.',
    spec: 'SMTPC-11',
    default: 60,
    min: 0,
    max: 10_080,
    unit: 'minutes',
  }),
  etrnNames: list({
    attribute: 'mtSmtpcEtrnName',
    label: 'Alternate names for ETRN',
    help: 'Asked for beside the name of this host: domains whose mail waits elsewhere. A domain after @ stands for it and what is below it.',
    spec: 'SRV-11, RFC 1985 §5.1, §5.3',
    default: [],
    pattern: name,
    patternHelp: 'a domain, @ and a domain, or # and the name of a queue',
  }),
  etrnOnDelivery: boolean({
    attribute: 'mtSmtpcEtrnOnDelivery',
    label: 'Send ETRN where mail is sent',
    help: 'Hosts that offer ETRN are asked whenever mail is sent to them, at most once in ten minutes each.',
    spec: 'SRV-11',
    default: false,
  }),
};
