/**
 * How urgent a message's header says it is, as a number: low goes first.
 *
 * `Precedence` counts, in the words that sendmail made common and those of `Priority`; where it is missing or says something else, `Priority`. Importance and X-Priority
 * are for the reader and change nothing: a sender would be served first for a coloured flag.
 * Pure. Source: manual chapter 6, "Message Priority Handling". Spec: RFC 2156 (Priority), RFC 3834 §3.1.8
 */

export const ordinary = 0;
/** The bounds of what a header, or an administrator, can say. */
export const mostUrgent = -2;
export const leastUrgent = 2;

const ofPrecedence = new Map(Object.entries({ 'special-delivery': -2, 'first-class': 0, list: 1, bulk: 2, junk: 2 }));
const ofPriority = new Map(Object.entries({ urgent: -1, normal: 0, 'non-urgent': 1 }));

const precedence = /^precedence[ \t]*:[ \t]*(?:\r?\n[ \t]+)?([a-z-]{1,20})[ \t]*$/im;
const priority = /^priority[ \t]*:[ \t]*(?:\r?\n[ \t]+)?([a-z-]{1,20})[ \t]*$/im;

/** Of a header block, lines ended by CRLF or LF. */
export function precedenceOf(head: string): number {
  const said = (pattern: RegExp): string => pattern.exec(head)?.[1]?.toLowerCase() ?? '';
  const first = said(precedence);
  return ofPrecedence.get(first) ?? ofPriority.get(first) ?? ofPriority.get(said(priority)) ?? ordinary;
}
