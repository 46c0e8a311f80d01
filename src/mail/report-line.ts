/** Text of strangers as one line of a report. Spec: RFC 5322 §2.1.1 */

/** A line of mail has at most 998 octets, the name of its field included. */
const longestLine = 900;

/** One line of a header or of the text. */
export function reportLine(text: string): string {
  const line = text.slice(0, longestLine).replace(/[\u0000-\u001f\u007f]+/g, ' ');
  return Buffer.byteLength(line) <= longestLine
    ? line
    : Buffer.from(line)
        .subarray(0, longestLine)
        .toString()
        .replace(/\ufffd+$/, '');
}
