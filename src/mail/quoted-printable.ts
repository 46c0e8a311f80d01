/** Quoted-printable text. Spec: RFC 2045 §6.7 */

const longest = 76;

/** CRLF line ends stay line ends; everything else that is not plain ASCII is encoded; lines have at most 76 characters. */
export function quotedPrintable(text: string): string {
  return text.split('\r\n').map(encodedLine).join('\r\n');
}

function encodedLine(line: string): string {
  const bytes = Buffer.from(line);
  const lines: string[] = [];
  let current = '';
  for (const [n, byte] of bytes.entries()) {
    const last = n === bytes.length - 1;
    const blank = byte === 32 || byte === 9;
    const plain = byte > 32 && byte < 127 && byte !== 61;
    const piece = plain || (blank && !last) ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    // The last character of a line needs no room for the mark of a soft break.
    if (current.length + piece.length > (last ? longest : longest - 1)) {
      lines.push(`${current}=`);
      current = '';
    }
    current += piece;
  }
  lines.push(current);
  return lines.join('\r\n');
}
