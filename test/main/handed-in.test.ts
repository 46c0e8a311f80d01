/** A message as it comes through the control socket. */

import { expect, test } from '@jest/globals';
import { type HandedInEnvelope, handedInLine, readHandedIn } from '../../src/main/handed-in.ts';

async function* inPieces(text: string, octets: number): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += octets) yield bytes.subarray(at, at + octets);
}

const envelope: HandedInEnvelope = {
  sender: 'ann@jade.net',
  recipients: ['bart@jade.net', 'mü@x.example'],
  fullName: 'Ann\nB',
  ret: 'hdrs',
  envelopeId: 'QQ',
  notify: ['success'],
};

test.each([1, 3, 50, 10_000])('in pieces of %d octets envelope and message are what they were', async (octets) => {
  const text = 'Subject: x\n\n{"not": "the envelope"}\n';
  const { message, ...rest } = await readHandedIn(inPieces(handedInLine(envelope) + text, octets));
  const parts: Uint8Array[] = [];
  for await (const part of message) parts.push(part);
  expect([rest, Buffer.concat(parts).toString()]).toEqual([envelope, text]);
});

test.each([
  ['', 'is missing'],
  ['{"recipients":["a"]}', 'is missing'],
  ['not json\n', 'not JSON'],
  ['null\n', 'not addresses'],
  ['{"sender":7,"recipients":["a"]}\n', 'not addresses'],
  ['{"recipients":[7]}\n', 'not addresses'],
  ['{"recipients":"a"}\n', 'not addresses'],
])('%j is refused', async (text, why) => {
  await expect(readHandedIn(inPieces(text, 4))).rejects.toThrow(why);
});

test('what is no wish is passed over', async () => {
  const text = '{"recipients":["a"],"notify":["often","delay"],"ret":"half","fullName":7}\n';
  const { message: _, ...rest } = await readHandedIn(inPieces(text, 100));
  expect(rest).toEqual({ sender: '', recipients: ['a'], notify: ['delay'] });
});
