/** What routing and its explanation need of the doors: which addresses are ours, who may relay, whether unknown recipients are taken. */

import type { OpenDit } from '../dit/index.ts';
import { components } from '../responder/index.ts';
import { createExplain, type Explain, type Router } from '../routing/index.ts';
import { smtpcSettings } from '../smtpc/index.ts';
import { smtpdSettings } from '../smtpd/index.ts';
import { parseWhere } from './config.ts';
import { isOwn } from './own-address.ts';

/** Whether mail sent to an address literal would come back to a door of ours: its recipients are then our own (RFC 5321 §4.1.3). */
export function ownAddress(dit: OpenDit): (address: string) => boolean {
  const smtpd = dit.settings(components.SMTPD);
  const smtpc = dit.settings(smtpcSettings);
  return (address) => isOwn(address, smtpc.value.port, [parseWhere(smtpd.value.smtp) ?? 'off']);
}

export function explainFor(dit: OpenDit, router: Router, systemBase: string): Explain {
  const smtpd = dit.settings(smtpdSettings);
  const by = (name: keyof typeof smtpdSettings.settings): string =>
    `${smtpdSettings.settings[name].attribute} of ${smtpdSettings.entry},${systemBase}`;
  return createExplain({
    router,
    dit,
    relay() {
      const { rejectRemoteRecipients, relayForAuthenticated } = smtpd.value;
      if (!rejectRemoteRecipients) return { allowed: true, text: 'everybody may send to other hosts', by: by('rejectRemoteRecipients') };
      const text = relayForAuthenticated ? 'only who has logged in may send to other hosts' : 'nobody may send to other hosts';
      return { allowed: false, text, by: by(relayForAuthenticated ? 'relayForAuthenticated' : 'rejectRemoteRecipients') };
    },
    takesUnknown: () =>
      smtpd.value.rejectUnknownRecipients
        ? { allowed: false, text: '550 5.1.1 no such user here', by: by('rejectUnknownRecipients') }
        : { allowed: true, text: 'taken, and sent back later', by: by('rejectUnknownRecipients') },
  });
}
