/**
 * A message's attachments as another host wants them.
 *
 * Promise: with nothing wished the message is not looked at; what needs no change stays byte for byte; what is signed, encrypted or a report
 * is not altered; an attachment that cannot be read without loss goes as it came, and why is said. The result is made while it is read, so
 * memory does not grow with the message.
 * Source: manual chapter 3, "Outbound Attachment Option"; checklist SMTPC-14
 */

import { Cannot, needs8bit } from '../../mail/index.ts';
import type { Bytes } from '../bytes.ts';
import { shown } from '../open.ts';
import { type Attachment, type Leaf, type Walked, walk } from '../walk.ts';
import { type Edit, edited } from './edits.ts';
import { leftOut } from './leave-out.ts';
import { isNotes, type Wishes, wishesNothing } from './wishes.ts';
import { leafEdit } from './within-mime.ts';
import { withoutMime } from './without-mime.ts';

export interface Converted {
  /** Undefined: the message goes as it is. */
  readonly message?: Bytes;
  /** It has no MIME, and needs none: its lines are short enough, and 8-bit only where that was wished. */
  readonly plain?: { readonly eightBit: boolean };
  /** What was not converted, and why; for the log. */
  readonly notes: readonly string[];
}

/** More of them tell nothing. */
const notesAtMost = 20;

export async function convertAttachments(source: Bytes, wishes: Wishes): Promise<Converted> {
  if (wishesNothing(wishes)) return { notes: [] };
  const walked = await walk(source);
  if (walked.beyond) return { notes: ['its attachments go out as they are: it has too many parts, or too many levels of them'] };
  const notes: string[] = [];
  const note = (text: string): void => {
    if (notes.length < notesAtMost) notes.push(text);
  };
  const tell = ({ name }: Attachment, why: string): void =>
    note(`the attachment ${name === '' ? 'without a name' : `"${shown(name)}"`} goes out as it is: ${why}`);
  const { edits, staying } = wishes.withoutNotes ? notesLeftOut(walked, tell) : { edits: [], staying: walked.leaves };
  if (wishes.withoutMime) {
    try {
      const message = await withoutMime(source, { ...walked, leaves: staying }, wishes);
      return { message, plain: { eightBit: await isEightBit(message) }, notes };
    } catch (thrown) {
      if (!(thrown instanceof Cannot)) throw thrown;
      note(`it goes out with MIME: ${thrown.message}`);
    }
  }
  for (const leaf of staying) {
    const edit = await leafEdit(source, leaf, wishes, tell);
    if (edit) edits.push(edit);
  }
  return edits.length > 0 ? { message: edited(source, edits), notes } : { notes };
}

function notesLeftOut(
  { leaves }: Walked,
  tell: (attachment: Attachment, why: string) => void,
): { edits: Edit[]; staying: readonly Leaf[] } {
  const native = leaves.filter(({ attachment }) => attachment && isNotes(attachment));
  const free = native.filter(({ guarded }) => guarded === undefined);
  const { edits, kept } = leftOut(free);
  for (const { attachment, guarded } of native) if (attachment && guarded !== undefined) tell(attachment, guarded);
  for (const { attachment } of kept) if (attachment) tell(attachment, 'there is nothing else in the message');
  const gone = new Set(free);
  for (const leaf of kept) gone.delete(leaf);
  return { edits, staying: leaves.filter((leaf) => !gone.has(leaf)) };
}

async function isEightBit(message: Bytes): Promise<boolean> {
  for await (const chunk of message.stream()) if (needs8bit(chunk)) return true;
  return false;
}
