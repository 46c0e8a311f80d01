/** Values of requests as the directory takes them: text where the octets are UTF-8, octets otherwise. */

import { isUtf8 } from 'node:buffer';

export function textIfPossible(octets: Uint8Array): string | Uint8Array {
  return isUtf8(octets) ? Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('utf8') : octets;
}
