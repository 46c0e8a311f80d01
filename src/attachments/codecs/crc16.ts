/** The checksum of BinHex and MacBinary: CRC-16 with the polynomial 0x1021 from 0. Spec: RFC 1741 appendix A; MacBinary II */

const table = Uint16Array.from({ length: 256 }, (_, octet) => {
  let crc = octet << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

export function crc16(bytes: Uint8Array, crc = 0): number {
  let sum = crc;
  for (let n = 0; n < bytes.length; n++) sum = ((sum << 8) & 0xffff) ^ (table[(sum >> 8) ^ (bytes[n] as number)] as number);
  return sum;
}
