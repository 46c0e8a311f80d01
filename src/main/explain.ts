/** What routing and its explanation need of the doors: which addresses are ours, who may relay, whether unknown recipients are taken. */

import type { OpenDit } from '../dit/index.ts';
import { components } from '../responder/index.ts';
import { createExplain, type Explain, type Router } from '../routing/index.ts';
import { smtpcSettings } from '../smtpc/index.ts';
import { connectionRule, relayLeave, relayRule, smtpdSettings } from '../smtpd/index.ts';
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
  const settingsEntry = `${smtpdSettings.entry},${systemBase}`;
  /** A client that has not logged in. */
  const asker = (address: string) => ({ settings: smtpd.value, address, user: undefined, house: { settingsEntry } });
  return createExplain({
    router,
    dit,
    connection(client) {
      const rule = connectionRule(asker(client));
      return rule ? { allowed: false, text: 'connections from this address are not allowed', by: rule.why } : undefined;
    },
    relay(client) {
      const rule = relayRule(asker(client));
      if (!rule)
        return { allowed: true, text: 'this address may send to other hosts without logging in', by: relayLeave(asker(client)).why };
      const users = smtpd.value.relayForAuthenticated;
      return {
        allowed: false,
        text: users ? 'only who has logged in may send to other hosts' : 'it may not send to other hosts',
        by: rule.why,
      };
    },
    takesUnknown() {
      const by = `${smtpdSettings.settings.rejectUnknownRecipients.attribute} of ${settingsEntry}`;
      return smtpd.value.rejectUnknownRecipients
        ? { allowed: false, text: '550 5.1.1 no such user here', by }
        : { allowed: true, text: 'taken, and sent back later', by };
    },
  });
}
