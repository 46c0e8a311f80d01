/** The header of a message, the empty line, and so many lines of its body. Reads no further than it must. RFC 1939 §7 (TOP) */

const LF = 10;

export async function* firstLines(source: AsyncIterable<Uint8Array>, lines: number): AsyncIterable<Uint8Array> {
  let inBody = false;
  let left = lines;
  /** Octets of the current line so far, its CR not counted. */
  let length = 0;
  for await (const chunk of source) {
    for (let at = 0; ; ) {
      const newline = chunk.indexOf(LF, at);
      const piece = chunk.subarray(at, newline < 0 ? chunk.length : newline);
      length += piece.length - (piece.length > 0 && piece[piece.length - 1] === 13 ? 1 : 0);
      if (newline < 0) break;
      at = newline + 1;
      if (inBody) left -= 1;
      else if (length === 0) inBody = true;
      length = 0;
      if (inBody && left === 0) {
        yield chunk.subarray(0, at);
        return;
      }
    }
    yield chunk;
  }
}
