/**
 * What the store remembers of a message so that nobody has to parse it again: the IMAP ENVELOPE and the MIME tree with
 * octet offsets.
 *
 * Offsets count from the start of the message's own bytes (without any delivery prefix). Text is kept as it stood in the
 * header: undecoded encoded-words, raw octets as UTF-8 where they are valid UTF-8, else as one character an octet (latin1).
 * Spec: RFC 3501 §7.4.2, RFC 2045–2047, RFC 2183, RFC 3282, RFC 2557
 */

export interface EnvelopeAddress {
  /** Display name, still encoded as in the header. `null` where there is none. */
  readonly name: string | null;
  /** Source route (RFC 822); nearly always null. */
  readonly route: string | null;
  /** Local part; for a group's start the group's name; null at a group's end. */
  readonly mailbox: string | null;
  /** Domain; null marks group start (mailbox set) and group end (mailbox null). */
  readonly host: string | null;
}

export interface Envelope {
  readonly date: string | null;
  readonly subject: string | null;
  readonly from: readonly EnvelopeAddress[];
  /** RFC 3501: equals `from` where the header is missing or empty. Likewise replyTo. */
  readonly sender: readonly EnvelopeAddress[];
  readonly replyTo: readonly EnvelopeAddress[];
  readonly to: readonly EnvelopeAddress[];
  readonly cc: readonly EnvelopeAddress[];
  readonly bcc: readonly EnvelopeAddress[];
  readonly inReplyTo: string | null;
  readonly messageId: string | null;
}

export type Parameters = readonly (readonly [name: string, value: string])[];

export interface MimePart {
  /** Upper-case in the protocol by custom, lower-case here: `text`, `plain`. */
  readonly type: string;
  readonly subtype: string;
  readonly parameters: Parameters;
  readonly id: string | null;
  readonly description: string | null;
  /** Lower-case content transfer encoding; `7bit` where none is given. */
  readonly encoding: string;
  readonly md5: string | null;
  readonly disposition: { readonly type: string; readonly parameters: Parameters } | null;
  readonly language: readonly string[] | null;
  readonly location: string | null;
  /** First octet of this part's MIME header (of the message's header for the root). */
  readonly headerStart: number;
  /** First octet of the body: after the empty line, or `end` where there is no body. */
  readonly bodyStart: number;
  /** First octet after the body; the CRLF before a boundary belongs to the boundary. */
  readonly end: number;
  /** Lines of the body as transferred (number of line ends, plus one for an unfinished last line). */
  readonly lines: number;
  /** Children of a multipart. A multipart without a usable boundary has none and is treated as opaque. */
  readonly children?: readonly MimePart[];
  /** The message inside a message/rfc822 or message/global. */
  readonly message?: { readonly envelope: Envelope; readonly root: MimePart };
}

export interface MessageStructure {
  readonly envelope: Envelope;
  readonly root: MimePart;
  /** Value of the Date header in milliseconds since 1970, `null` where it cannot be read. */
  readonly sentAt: number | null;
}
