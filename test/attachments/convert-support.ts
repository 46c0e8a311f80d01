/** A message converted, and what a reader finds in it afterwards. */

import { expect } from '@jest/globals';
import { attachmentsOf, convertAttachments, UuEncoder, type Wishes } from '../../src/attachments/index.ts';
import { latin1, source } from './support.ts';

export const nothing: Wishes = {
  toMac: false,
  fromMac: false,
  withoutMime: false,
  nativeEncoding: 'mime',
  appleEncoding: 'unchanged',
  withoutNotes: false,
  eightBit: true,
  charset: '',
};
export const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
export const base64 = (octets: Buffer | string): string =>
  (typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets).toString('base64').replace(/.{76}(?=.)/g, '$&\r\n');

/** Boundaries are made up: here they are numbered. */
function numbered(text: string): string {
  const seen: string[] = [];
  return text.replace(/=_mt_[\w-]{20}/g, (one) => {
    if (!seen.includes(one)) seen.push(one);
    return `BOUNDARY${seen.indexOf(one)}`;
  });
}

export interface Made {
  readonly text: string;
  readonly notes: readonly string[];
  readonly same: boolean;
}

export async function convert(message: string, wishes: Partial<Wishes>): Promise<Made> {
  const results: Made[] = [];
  for (const piece of [7, 1_000]) {
    const { message: made, plain, notes } = await convertAttachments(source(message, piece), { ...nothing, ...wishes });
    const text = made ? await latin1(made) : message;
    // It is read again, and in stretches, by whoever makes it fit.
    if (made) {
      expect(text.length).toBe(made.size);
      expect(await latin1(made)).toBe(text);
      expect(await latin1(made.stream(10, made.size - 5))).toBe(text.slice(10, -5));
    }
    if (plain) expect(plain.eightBit).toBe(/[\x80-\xff]/.test(text));
    expect(text.replace(/\r\n/g, '')).not.toMatch(/[\r\n]/);
    for (const line of text.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998);
    results.push({ text: numbered(text), notes, same: text === message });
  }
  expect(results[0]).toEqual(results[1]);
  return results[0] as Made;
}

/** What a reader finds in it: form, name, type and data of each attachment. */
export async function found(message: string): Promise<Record<string, unknown>[]> {
  const out: Record<string, unknown>[] = [];
  for (const { name, type, apple, open, inText } of await attachmentsOf(source(message))) {
    const where = inText ? { inText: inText.is } : {};
    const file = apple?.read.file;
    if (file)
      out.push({
        ...where,
        form: apple.form,
        name: file.name,
        code: file.finder.toString('latin1', 0, 8),
        data: await latin1(file.data),
        resource: await latin1(file.resource),
      });
    else {
      const { content, flaw } = await open();
      out.push({ ...where, name, type, data: await latin1(content), ...(flaw === undefined ? {} : { flaw }) });
    }
  }
  return out;
}

export const uu = (octets: Buffer, name: string): string => {
  const encoder = new UuEncoder(name);
  return Buffer.concat([Buffer.from(encoder.push(octets)), Buffer.from(encoder.end())]).toString('latin1');
};
