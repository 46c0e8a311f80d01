/** What senders are told. Source: manual chapter 6 "Delayed Mail Notification"; checklist SMTPC-09, SMTPC-10 */

import { boolean, integer, text } from '../../settings/index.ts';

/** Two ways to an administrator's words: in the directory, and in a file as the manual has it. */
const words = (kind: string, what: string) => ({
  text: text({
    attribute: `mtSmtpc${kind}Text`,
    label: `Text of the ${what}`,
    help: `Stands at the top of the ${what}; %{recipients}, %{subject}, %{reason} and others are filled in (docs/where-is-my-message.md). Without it the text file, without both a built-in text.`,
    spec: 'SMTPC-09',
    default: '',
    max: 16_384,
  }),
  file: text({
    attribute: `mtSmtpc${kind}File`,
    label: `Text file of the ${what}`,
    help: 'Path of a UTF-8 text file that everybody on this host may read, at most 64 KB; without a slash at its beginning it is below the data directory. Used where the directory has no text. A file that cannot be read is an error in the log, and the built-in text is used.',
    spec: 'manual chapter 6, "Delayed mail notification text"; SMTPC-09',
    default: '',
    max: 1_000,
  }),
});

const delay = words('DelayNotice', 'delay notification');
const success = words('SuccessNotice', 'notification of success after a delay');
const bounce = words('Bounce', 'report of a failure');

export const notices = {
  delayNotice: boolean({
    attribute: 'mtSmtpcDelayNotice',
    label: 'Delayed mail notification',
    help: 'Tells the sender when a message is late, unless the sender asked for no such notices. A sender who asked for them gets them in any case.',
    spec: 'SMTPC-09',
    default: false,
  }),
  delayNoticeAfter: integer({
    attribute: 'mtSmtpcDelayNoticeAfter',
    label: 'Delay before the notification',
    help: 'How late a message must be.',
    spec: 'SMTPC-09',
    default: 4,
    min: 1,
    max: 720,
    unit: 'hours',
  }),
  delayNoticeText: delay.text,
  delayNoticeFile: delay.file,
  successNotice: boolean({
    attribute: 'mtSmtpcSuccessNotice',
    label: 'Notification of success after a delay',
    help: 'A sender who was told that a message is late is told when it has been sent after all; not one who asked for other notices only.',
    spec: 'manual chapter 6, "Enable successful mail notification"; SMTPC-09',
    default: false,
  }),
  successNoticeText: success.text,
  successNoticeFile: success.file,
  bounceText: bounce.text,
  bounceFile: bounce.file,
  spamReportPeriod: integer({
    attribute: 'mtSmtpcSpamBouncePeriod',
    label: 'Retry period for spam-tagged bounces',
    help: 'A report about a message that was taken for spam is given up after this time, as its sender is mostly invented.',
    spec: 'manual chapter 6, "Retry Period for Spam Tagged Bounced Messages"; SMTPC-10',
    default: 4,
    min: 1,
    max: 720,
    unit: 'hours',
  }),
  reportsPerHour: integer({
    attribute: 'mtSmtpcReportsPerHour',
    label: 'Reports to one address',
    help: 'At most so many reports go to one sender in an hour, about mail that came from other hosts without a log-in: a flood of mail with a forged sender does not become a flood of reports. Ten times as many go to all addresses of one domain together, where neither SPF nor DKIM vouches for the sender. 0: any number.',
    spec: 'SMTPC-10; RFC 5321 §7.8',
    default: 100,
    min: 0,
    max: 1_000_000,
    unit: 'reports an hour',
  }),
};
