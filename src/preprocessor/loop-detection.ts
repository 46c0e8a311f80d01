/**
 * Loop detection: a message that has passed through this host too often goes no further.
 *
 * Only lines that show this host's name count, as the manual has it; a message with more than a hundred Received lines of
 * any host is looping whatever they say.
 * Source: manual chapter 3 "Loop Detection"; checklist MTA-19. Spec: RFC 5321 §6.3
 */

import { fileURLToPath } from 'node:url';
import type { Live } from '../base/index.ts';
import { headerValue, headerValues, splitHeader } from '../mail/index.ts';
import type { Module, ModuleVerdict } from './module.ts';
import { type LoopDetectionSettings, loopDetectionSettings } from './settings.ts';

const hopsAtMost = 100;

/** Finds in a Received field that it was added by this host. */
function addedBy(host: string): RegExp {
  const name = host.replace(/[^A-Za-z0-9-]/g, (c) => `\\${c}`);
  return new RegExp(`(?:^|[\\s)])by\\s+${name}(?=[\\s;(]|$)`, 'i');
}

export function createLoopDetection(needs: {
  readonly settings: Live<LoopDetectionSettings>;
  readonly mta: Live<{ readonly host: string }>;
}): Module {
  const { settings, mta } = needs;
  let [host, byUs] = ['', addedBy('')];
  return {
    name: 'LoopDetection',
    description: 'Stops messages that pass through this host again and again',
    version: '1.0',
    file: fileURLToPath(import.meta.url),
    entry: loopDetectionSettings.entry,
    matrixAttribute: loopDetectionSettings.settings.matrix.attribute,
    matrix: {
      get value() {
        return settings.value.matrix;
      },
      onChange: (listener) => settings.onChange((after, before) => listener(after.matrix, before.matrix)),
    },
    async run(message): Promise<ModuleVerdict> {
      const { maximumTrips, toPostmaster } = settings.value;
      const header = splitHeader(await message.header());
      const received = headerValues(header, 'received');
      if (host !== mta.value.host) [host, byUs] = [mta.value.host, addedBy(mta.value.host)];
      const own = received.filter((field) => byUs.test(field.slice(0, 4096))).length;
      if (own <= maximumTrips && received.length <= hopsAtMost) return { is: 'pass' };
      const text =
        own > maximumTrips
          ? `mail loop: the message has been here ${own} times already`
          : `mail loop: ${received.length} hosts have handled the message`;
      // Our own reports in a circle beget no further ones.
      const ours = headerValue(header, 'from')?.includes(`<MAILER-DAEMON@${host}>`) === true;
      return { is: 'bounce', status: '5.4.6', text, toPostmaster: toPostmaster && !ours };
    },
  };
}
