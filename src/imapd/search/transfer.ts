/**
 * Content transfer encodings undone chunk by chunk, tolerant of what mail is made of.
 *
 * What does not belong (line ends and rubbish in base64, a lone `=`) is passed over or kept as it is; nothing throws. Pure.
 * Spec: RFC 2045 §6.7, §6.8
 */

export interface TransferDecoder {
  push(chunk: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

export function transferDecoder(encoding: string): TransferDecoder {
  if (encoding === 'base64') return base64();
  if (encoding === 'quoted-printable') return quotedPrintable();
  return { push: (chunk) => chunk, end: () => new Uint8Array(0) };
}

function base64(): TransferDecoder {
  let rest = '';
  return {
    push(chunk) {
      const text =
        rest +
        Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
          .toString('latin1')
          .replace(/[^A-Za-z0-9+/]+/g, '');
      const whole = text.length - (text.length % 4);
      rest = text.slice(whole);
      return Buffer.from(text.slice(0, whole), 'base64');
    },
    end: () => Buffer.from(rest, 'base64'),
  };
}

function quotedPrintable(): TransferDecoder {
  let rest = '';
  const decode = (text: string): Uint8Array =>
    Buffer.from(
      text.replace(/=[ \t]*\r?\n/g, '').replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    );
  return {
    push(chunk) {
      const text = rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
      // A `=` near the end may go on in the next chunk.
      const equals = text.indexOf('=', Math.max(0, text.length - 3));
      const whole = equals < 0 ? text.length : equals;
      rest = text.slice(whole);
      return decode(text.slice(0, whole));
    },
    end: () => decode(rest),
  };
}
