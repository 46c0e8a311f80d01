/** What a user may send in a day, asked at MAIL and once the message is in. Checklist SMTPD-13 */

import type { Outcome, Session } from '../session.ts';
import { type DailyLimits, exceeds } from './daily.ts';
import { refused, setting } from './refusal.ts';

/** What the user has left for today; a message whose size is not announced is judged once it is in. */
export async function dailyRefusal(session: Session, size: number): Promise<Outcome | undefined> {
  const limits = dailyLimits(session);
  if (!session.user || !limits) return undefined;
  const sent = await session.house.daily.today(session.user.uuid);
  const after = { messages: sent.messages + 1, octets: sent.octets + size };
  if (!exceeds(after, limits)) return undefined;
  const attribute = exceeds(after, { ...limits, octets: 0 }) ? 'mtSmtpdUserMessagesPerDay' : 'mtSmtpdUserMegabytesPerDay';
  return refused(452, '4.7.1', 'you have sent all you may today, try again tomorrow', setting(session, attribute));
}

/** Undefined: the user has none, and nothing is counted. */
export function dailyLimits({ settings, user }: Session): DailyLimits | undefined {
  const { userMessagesPerDay, userMegabytesPerDay } = settings;
  if (!user || (userMessagesPerDay === 0 && userMegabytesPerDay === 0)) return undefined;
  return { messages: userMessagesPerDay, octets: userMegabytesPerDay * 1_048_576 };
}
