/** Per component of this host: when it runs and where it listens (manual chapter 2, "Component Status"; checklist SRV-02). */

import { listenPattern, namesHost } from '../base/index.ts';
import { boolean, declareSettings, integer, type TextSetting, text } from '../settings/index.ts';

export const whereHelp = 'address:port (an IPv6 address in brackets, a port up to 65535), or off';

function listenAt(attribute: string, label: string, help: string): TextSetting {
  return text({
    attribute,
    label,
    default: 'off',
    pattern: listenPattern,
    valid: namesHost,
    patternHelp: whereHelp,
    help: `${help} A new place is opened before the old one is closed; open connections live on.`,
  });
}

const policy = {
  autoStart: boolean({
    attribute: 'mtAutoStart',
    label: 'Auto Start',
    default: true,
    help: 'The component is started with the server.',
    spec: 'checklist SRV-02',
  }),
  autoRestart: boolean({
    attribute: 'mtAutoRestart',
    label: 'Auto Restart',
    default: true,
    help: 'After a failure the component is started again.',
    spec: 'checklist SRV-02',
  }),
  autoStop: boolean({
    attribute: 'mtAutoStop',
    label: 'Auto Stop',
    default: true,
    help: 'The component is stopped when the responder is told to stop its components.',
    spec: 'checklist SRV-02',
  }),
  waitTime: integer({
    attribute: 'mtWaitTime',
    label: 'Wait Time',
    default: 0,
    min: 0,
    max: 3600,
    unit: 'seconds',
    help: 'How long the responder waits before it starts the component.',
    spec: 'checklist SRV-02',
  }),
};

function component<const L extends Record<string, TextSetting>>(name: string, help: string, listeners: L) {
  return declareSettings({
    objectClass: 'mtComponent',
    entry: `cn=${name},cn={host},cn=responder`,
    title: `Component ${name}`,
    help,
    settings: { ...policy, ...listeners },
  });
}

export const components = {
  DIRECTORY: component('DIRECTORY', 'The LDAP door. Where it listens is said in the configuration file.', {}),
  SMTPD: component('SMTPD', 'Receives mail by SMTP.', {
    smtp: listenAt('mtSmtpListen', 'SMTP', 'Where mail from other hosts is received (port 25).'),
    submission: listenAt('mtSubmissionListen', 'Submission', 'Where users hand in mail, with STARTTLS (port 587, RFC 6409).'),
    smtps: listenAt('mtSmtpsListen', 'SMTPS', 'Where users hand in mail over implicit TLS (port 465, RFC 8314).'),
  }),
  PREPROCESSOR: component('PREPROCESSOR', 'Routes the input queue and runs the modules.', {}),
  LMDA: component('LMDA', 'Delivers local mail into the message store.', {}),
  SMTPC: component('SMTPC', 'Sends mail to other hosts.', {}),
  IMAPD: component('IMAPD', 'Serves mailboxes by IMAP.', {
    imap: listenAt('mtImapListen', 'IMAP', 'Where IMAP is served, with STARTTLS (port 143).'),
    imaps: listenAt('mtImapsListen', 'IMAPS', 'Where IMAP is served over implicit TLS (port 993).'),
  }),
  POP3D: component('POP3D', 'Serves INBOX by POP3.', {
    pop3: listenAt('mtPop3Listen', 'POP3', 'Where POP3 is served, with STLS (port 110).'),
    pop3s: listenAt('mtPop3sListen', 'POP3S', 'Where POP3 is served over implicit TLS (port 995).'),
  }),
  WEB: component('WEB', 'Health, readiness and status over HTTP. Where it listens is said in the configuration file.', {}),
};

export type ComponentName = keyof typeof components;
