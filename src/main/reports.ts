/** How every report of this server is written, whoever writes it: whose words, how many, who gets a copy. */

import { systemClock } from '../base/index.ts';
import { preprocessorSettings } from '../preprocessor/index.ts';
import { createReportLimit, type ReporterNeeds } from '../queue/index.ts';
import { createNoticeTexts, smtpcSettings } from '../smtpc/index.ts';
import type { Parts } from './server.ts';

export type ReportRules = Required<Pick<ReporterNeeds, 'copyBounces' | 'texts' | 'limit'>>;

export function reportRules({ dit, config, logs }: Parts): ReportRules {
  const preprocessor = dit.settings(preprocessorSettings);
  const settings = dit.settings(smtpcSettings);
  return {
    copyBounces: () => preprocessor.value.copyBounces,
    texts: createNoticeTexts({ settings, log: logs('SMTPC'), folder: config.data }),
    // One count for all.
    limit: createReportLimit(systemClock, () => settings.value.reportsPerHour),
  };
}
