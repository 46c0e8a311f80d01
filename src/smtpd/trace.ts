/** How a message came in, as the name that stands behind `with` in Received. Spec: RFC 3848, RFC 6531 §4.3 */

/** `ESMTPSA` and its kin. Plain SMTP has no forms for encryption and login: without EHLO there is neither STARTTLS nor AUTH. */
export function protocolName(esmtp: boolean, tls: boolean, authenticated: boolean, utf8: boolean): string {
  if (!esmtp) return 'SMTP';
  return `${utf8 ? 'UTF8SMTP' : 'ESMTP'}${tls ? 'S' : ''}${authenticated ? 'A' : ''}`;
}
