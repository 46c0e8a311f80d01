/**
 * Addresses with other characters than ASCII, written in ASCII: `\x{HEX}` stands for a character.
 *
 * Spec: RFC 6533 §3 (utf-8-addr-xtext, utf-8-addr-unitext); RFC 3461 §4.2 (ORCPT)
 */

/** utf-8-addr-xtext: 7-bit, fit for ORCPT whatever the other side offers. */
export function addrXtext(text: string): string {
  return [...text]
    .map((c) => (/^[!-*,-<>-[\]-~]$/.test(c) ? c : `\\x{${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, '0')}}`))
    .join('');
}

/** What either form means; undefined where a character it names cannot be. An address as it is (utf-8-address) is allowed, too. */
export function fromAddrXtext(text: string): string | undefined {
  let wrong = false;
  const decoded = text.replace(/\\x\{([0-9A-Fa-f]{1,8})\}/g, (_, hex: string) => {
    const code = Number.parseInt(hex, 16);
    if (code < 0x20 || code === 0x7f || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) wrong = true;
    return wrong ? '' : String.fromCodePoint(code);
  });
  return wrong || decoded === '' ? undefined : decoded;
}

/** ORCPT as it goes to another host: 7-bit, xtext is put around it by whoever sends it. */
export function originalRecipientOut(given: string): string {
  const at = given.indexOf(';');
  const type = given.slice(0, at);
  const address = given.slice(at + 1);
  const plain = type.toLowerCase() !== 'utf-8' && !/[^\u0000-\u007f]/.test(address);
  return plain ? given : `utf-8;${addrXtext(address)}`;
}
