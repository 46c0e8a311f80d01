/** Forms that several settings of SMTPD have. */

import { ipPattern, isAddressRange } from '../../base/index.ts';
import { choice } from '../../settings/index.ts';

/** For lists of network addresses. */
export const ipList = {
  pattern: ipPattern,
  valid: isAddressRange,
  patternHelp: 'an address (192.0.2.1), a range (192.0.2.1-192.0.2.9) or a network (192.0.2.0/24); IPv6 likewise',
};

/** Whether something is refused with 5xx or 4xx. */
export const refusalCode = (attribute: string, label: string, what: string, spec: string) =>
  choice({
    attribute,
    label,
    help: `Whether ${what} is refused for good (5xx), or for now (4xx), so that the other side tries again.`,
    spec,
    choices: ['permanent', 'temporary'],
    default: 'permanent',
  });
