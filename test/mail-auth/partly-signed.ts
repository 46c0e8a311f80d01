/** A message whose signature covers the beginning of its body only. */

import { createPrivateKey, sign } from 'node:crypto';
import { BodyHash, canonicalField } from '../../src/mail-auth/canonical.ts';
import { keyRecord, makeKey } from '../../src/mail-auth/index.ts';

const key = makeKey('rsa', 1_024);
export const record = keyRecord(key);
const body = new BodyHash('simple', 5);
body.update(Buffer.from('Hello and more\r\n'));
const head = `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed; d=closed.test; s=part; l=5; h=from;\r\n bh=${body.end().hash}; b=`;
const signed = `from:joe@closed.test\r\n${canonicalField(head, 'relaxed')}`;
const privateKey = createPrivateKey({ key: Buffer.from(key.privateKey, 'base64'), format: 'der', type: 'pkcs8' });
export const partlySigned = `${head}${sign('sha256', Buffer.from(signed), privateKey).toString('base64')}\r\nFrom: joe@closed.test\r\n\r\nHello and more\r\n`;
