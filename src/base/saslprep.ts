/**
 * Preparing a password so that it is the same whichever keyboard typed it.
 *
 * What SASLprep would prohibit is used as it is: refusing a log-in is for the password check, not for this.
 * Spec: RFC 4013
 */

const plain = /^[\x20-\x7e]*$/;
const spaces = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
const nothing = /\u00ad|\u1806|[\u200b-\u200d\u2060]|\ufeff|[\ufe00-\ufe0f]|\u034f|[\u180b-\u180d]/gu;

export function saslprep(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(spaces, ' ').replace(nothing, '').normalize('NFKC');
}
