/**
 * The MIME header of mail that was handed in without any: text in the local character set.
 *
 * Spec: RFC 2045 §4, §5, §6; RFC 2046 §4.1.2; manual chapter 2, "Local character set"
 */

/** Where one of these is there the message speaks for itself. */
export const mimeFields = ['mime-version', 'content-type', 'content-transfer-encoding'] as const;

/** Header lines; empty where there is no character set to name, or it cannot be the right one. */
export function charsetLabel(charset: string, eightBit: boolean): string {
  if (charset === '' || (eightBit && charset.toLowerCase() === 'us-ascii')) return '';
  return `MIME-Version: 1.0\r\nContent-Type: text/plain; charset=${charset}\r\nContent-Transfer-Encoding: ${eightBit ? '8bit' : '7bit'}\r\n`;
}
