/** In which order the mail for a destination goes out. Source: manual chapter 6 "Message Priority"; checklist SMTPC-04 */

import { integer, text } from '../../settings/index.ts';

const multiplier = (attribute: string, label: string, factor: string) =>
  integer({
    attribute,
    label,
    help: `How much ${factor} counts in the priority weight, beside the other factors; 0: not at all. The lower the weight, the sooner a message goes.`,
    spec: 'manual chapter 6, "Message Priority"; checklist SMTPC-04',
    default: 0,
    min: -1_000_000,
    max: 1_000_000,
  });

const row = (attribute: string, label: string, help: string, signed: boolean) =>
  text({
    attribute,
    label,
    help,
    spec: 'manual chapter 6, "Message Priority"; checklist SMTPC-04',
    default: '',
    max: 400,
    pattern: signed ? /\s*(-?\d{1,6}\s*(,\s*-?\d{1,6}\s*){0,30})?/ : /\s*(\d{1,9}\s*(,\s*\d{1,9}\s*){0,29})?/,
    patternHelp: signed ? 'numbers with commas between them: 0, 2, 4, 10' : 'rising numbers with commas between them: 10, 1000, 10000',
  });

const each = 'one more than there are boundaries; else the factor weighs nothing';

export const priority = {
  precedenceMultiplier: multiplier(
    'mtSmtpcPrecedenceMultiplier',
    'Precedence multiplier (Mp)',
    'the precedence of the header (special-delivery -2, urgent -1, first-class 0, list 1, bulk and junk 2)',
  ),
  sizeMultiplier: multiplier('mtSmtpcSizeMultiplier', 'Size multiplier (Ms)', "the weight of a message's size"),
  timeMultiplier: multiplier(
    'mtSmtpcTimeMultiplier',
    'Time multiplier (Md)',
    'the weight of the time since a message was first deferred (it is taken off)',
  ),
  sizeBoundaries: row('mtSmtpcSizeBoundaries', 'Size boundaries', 'Boundaries between ranges of size, in KB: 10, 1000, 10000.', false),
  sizeWeights: row('mtSmtpcSizeWeights', 'Weights of the size ranges', `The weight of each range of size: ${each}.`, true),
  timeBoundaries: row('mtSmtpcTimeBoundaries', 'Time boundaries', 'Boundaries between ranges of deferred time, in hours: 1, 6, 12.', false),
  timeWeights: row('mtSmtpcTimeWeights', 'Weights of the time ranges', `The weight of each range of deferred time: ${each}.`, true),
};
