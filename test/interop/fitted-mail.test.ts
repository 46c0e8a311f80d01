/** Third-party messages made fit for hosts that take 7 bit only, read before and after by Python's email and by mailparser. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { type FitSource, fitMessage } from '../../src/mail/index.ts';
import { tempDir } from '../support/temp.ts';
import { corpus, type Sample, sample } from './support/corpus.ts';
import { python } from './support/tool.ts';

const folders = ['mime-', 'dsn-', 'bounces-', 'spamassassin-', 'encoders-', 'message-partial'];

function sourceOf(bytes: Buffer): FitSource {
  return {
    size: bytes.length,
    async *stream(start, end) {
      for (let at = start; at < Math.min(end, bytes.length); at += 4_096) yield bytes.subarray(at, Math.min(at + 4_096, end, bytes.length));
    },
  };
}

interface Made {
  readonly name: string;
  readonly before: Buffer;
  readonly after: Buffer;
}

async function converted(samples: readonly Sample[]): Promise<{ made: Made[]; fit: number; refused: string[] }> {
  const made: Made[] = [];
  const refused: string[] = [];
  let fit = 0;
  for (const { name, canonical } of samples) {
    const result = await fitMessage(sourceOf(canonical), { sevenBit: true, charset: '' });
    if (result.is === 'fit') fit++;
    else if (result.is === 'cannot') refused.push(`${name}: ${result.text}`);
    else {
      const pieces: Uint8Array[] = [];
      for await (const piece of result.content()) pieces.push(Buffer.from(piece));
      made.push({ name, before: canonical, after: Buffer.concat(pieces) });
    }
  }
  return { made, fit, refused };
}

/** The same message with letters that need 8 bit in every line of text. */
const widened = ({ name, canonical }: Sample): Sample => {
  const text = canonical.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const encoded = /^content-transfer-encoding:\s*(?:base64|quoted-printable|x-)/im.test(text);
  if (end < 0 || encoded || /multipart\/signed|message\/partial/i.test(text)) return sample(name, canonical);
  // Headers of parts stay as they are: lines with a colon, boundaries and what is folded below.
  const body = text.slice(end).replace(/^[A-Za-z][^:\r\n]{3,}[a-z]$/gm, (line) => line.replace(/e/g, '\xc3\xa9'));
  return sample(`${name} (widened)`, Buffer.from(text.slice(0, end) + body, 'latin1'));
};

test('8-bit messages of others say the same when they are 7-bit', async () => {
  const all = corpus(...folders);
  const { made, refused } = await converted([...all, ...all.map(widened)]);
  expect(made.length).toBeGreaterThan(300);
  // Few are beyond conversion, and each says why.
  expect(refused.length).toBeLessThan(made.length / 20);
  for (const one of refused) expect(one).toMatch(/so that it cannot be converted to 7 bit|is signed/);
  const dir = await tempDir();
  const file = join(dir.path, 'pairs.json');
  writeFileSync(file, JSON.stringify(made.map(({ name, before, after }) => [name, before.toString('base64'), after.toString('base64')])));
  expect(await python('fitted_mail.py', [file])).toEqual({});
  await dir.remove();
}, 300_000);

test('mailparser reads the same, too', async () => {
  const all = corpus('mime-', 'dsn-');
  const { made } = await converted([...all, ...all.map(widened)]);
  expect(made.length).toBeGreaterThan(20);
  const options = { skipHtmlToText: true, skipTextToHtml: true };
  for (const { name, before, after } of made) {
    const [one, two] = [await simpleParser(before, options), await simpleParser(after, options)];
    const brief = ({ subject, attachments }: typeof one) => ({
      name,
      subject,
      // A message inside has been converted, too.
      attachments: attachments.map((a) => [a.contentType, a.contentType.startsWith('message/') || a.content.length]),
    });
    expect(brief(two)).toEqual(brief(one));
  }
}, 300_000);
