/**
 * What is wished of attachments, and what that means for one of them.
 *
 * Pure. Where a file of a Macintosh is to lose what makes it one, none is made into one: `fromMac` comes before `toMac`.
 * Source: manual chapter 3, "Outbound Attachment Option", "Native Attachment Encoding", "Apple Attachment Encoding"; checklist SMTPC-14
 */

import type { MimePart } from '../../mail/index.ts';
import { encodingOf } from '../codecs/transfer.ts';
import type { Attachment } from '../walk.ts';

export const appleEncodings = [
  'applesingle',
  'appledouble',
  'binhex',
  'uuencode-applesingle',
  'base64-macbinary',
  'uuencode-macbinary',
] as const;
export type AppleEncoding = (typeof appleEncodings)[number];

export interface Wishes {
  /** Other attachments become files of a Macintosh. */
  readonly toMac: boolean;
  /** Files of a Macintosh become ordinary ones. */
  readonly fromMac: boolean;
  /** No MIME at all: files are written into the text. */
  readonly withoutMime: boolean;
  readonly nativeEncoding: 'mime' | 'uuencode';
  readonly appleEncoding: 'unchanged' | AppleEncoding;
  /** The native form of a Notes message is left out. */
  readonly withoutNotes: boolean;
  /** Whether text may have 8 bit, where there is no MIME to say how it is encoded. */
  readonly eightBit: boolean;
  /** What text that says nothing about itself is taken to be in; empty where nobody knows. */
  readonly charset: string;
}

/** Nothing is: the message is not even looked at. */
export const wishesNothing = (wishes: Wishes): boolean =>
  !wishes.toMac &&
  !wishes.fromMac &&
  !wishes.withoutMime &&
  !wishes.withoutNotes &&
  wishes.nativeEncoding === 'mime' &&
  wishes.appleEncoding === 'unchanged';

export type Plan =
  | { readonly is: 'keep' /** Something is wished that cannot be done; for people. */; readonly why?: string }
  /** An ordinary file; of a file of a Macintosh its data alone. */
  | { readonly is: 'plain' }
  | { readonly is: 'apple'; readonly encoding: AppleEncoding };

const keep: Plan = { is: 'keep' };

/** `ofPage`: a picture in a page and the like, which is no file of its own. */
export function planFor(attachment: Attachment, part: MimePart, ofPage: boolean, wishes: Wishes): Plan {
  const { toMac, fromMac, nativeEncoding, appleEncoding } = wishes;
  const { apple, inText } = attachment;
  if (apple) {
    if (!fromMac && appleEncoding === 'unchanged') return keep;
    if (apple.read.flaw !== undefined) return { is: 'keep', why: apple.read.flaw };
    if (fromMac) return { is: 'plain' };
    const asked = appleEncoding as AppleEncoding;
    return encodingNow(attachment, part) === asked ? keep : { is: 'apple', encoding: asked };
  }
  if (ofPage || part.type === 'message') return keep;
  if (toMac && !fromMac) return { is: 'apple', encoding: appleEncoding === 'unchanged' ? 'appledouble' : appleEncoding };
  if (nativeEncoding === 'uuencode' && !inText && encodingOf(part.encoding) !== 'uuencode') return { is: 'plain' };
  return keep;
}

/** How a file of a Macintosh came. */
function encodingNow({ apple, inText }: Attachment, part: MimePart): AppleEncoding | undefined {
  const form = apple?.form;
  if (form === 'binhex' || form === 'appledouble') return form;
  const uu = (inText?.is ?? encodingOf(part.encoding)) === 'uuencode';
  if (form === 'applesingle') return uu ? 'uuencode-applesingle' : 'applesingle';
  return uu ? 'uuencode-macbinary' : 'base64-macbinary';
}

const notesTypes = /^application\/(?:vnd\.lotus-notes|x-lotus-notes|lotus-notes)$/;

/** The native form of a Notes message, which its gateway puts beside text and attachments. */
export const isNotes = ({ name, type }: Attachment): boolean => notesTypes.test(type) || /\.nsf$/i.test(name);
