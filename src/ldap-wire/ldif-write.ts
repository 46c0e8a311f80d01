/**
 * Writing LDIF.
 *
 * Promise: what is written is plain ASCII, folded at 76 columns, base64 wherever RFC 2849's SAFE-STRING does not reach
 * (non-ASCII, control characters, a blank, colon or less-than sign in front, a blank at the end), and reads back as the
 * same value.
 * Spec: RFC 2849
 */

import { isAscii } from 'node:buffer';
import { type Dn, formatRdn } from './dn.ts';
import type { LdifAttribute, LdifControl, LdifModification, LdifRecord } from './ldif.ts';

const columns = 76;
const safe = /^(?:[\u0001-\u0009\u000b\u000c\u000e-\u001f!-9;=-\u007f][\u0001-\u0009\u000b\u000c\u000e-\u007f]*)?(?<! )$/;

/** One `name: value` line with its end, folded. */
export function formatLdifLine(name: string, value: string | Uint8Array): string {
  if (typeof value === 'string') {
    return foldLdif(safe.test(value) ? `${name}: ${value}` : `${name}:: ${Buffer.from(value, 'utf8').toString('base64')}`);
  }
  const octets = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const text = isAscii(octets) ? octets.toString('latin1') : undefined;
  return foldLdif(text !== undefined && safe.test(text) ? `${name}: ${text}` : `${name}:: ${octets.toString('base64')}`);
}

/** A line with its end, folded at 76 columns where it is longer. For ASCII. */
function foldLdif(line: string): string {
  if (line.length <= columns) return `${line}\n`;
  let out = `${line.slice(0, columns)}\n`;
  for (let at = columns; at < line.length; at += columns - 1) out += ` ${line.slice(at, at + columns - 1)}\n`;
  return out;
}

const attributeLines = (attributes: readonly LdifAttribute[]): string =>
  attributes.map(({ name, values }) => values.map((value) => formatLdifLine(name, value)).join('')).join('');

/** A content record: the entry and the blank line behind it. */
export function formatLdifEntry(dn: Dn, attributes: Iterable<LdifAttribute>): string {
  return `${formatLdifLine('dn', dn.toString())}${attributeLines([...attributes])}\n`;
}

function controlLine(control: LdifControl): string {
  const value = control.value ? `:: ${Buffer.from(control.value).toString('base64')}` : '';
  return foldLdif(`control: ${control.oid} ${control.critical}${value}`);
}

const modification = ({ operation, attribute }: LdifModification): string =>
  `${formatLdifLine(operation, attribute.name)}${attributeLines([attribute])}-\n`;

/** Any record and the blank line behind it. */
export function formatLdifRecord(record: LdifRecord): string {
  if (record.kind === 'content') return formatLdifEntry(record.dn, record.attributes);
  const head = `${formatLdifLine('dn', record.dn.toString())}${record.controls.map(controlLine).join('')}`;
  switch (record.kind) {
    case 'add':
      return `${head}changetype: add\n${attributeLines(record.attributes)}\n`;
    case 'delete':
      return `${head}changetype: delete\n\n`;
    case 'modify':
      return `${head}changetype: modify\n${record.modifications.map(modification).join('')}\n`;
    case 'rename': {
      const superior = record.newSuperior ? formatLdifLine('newsuperior', record.newSuperior.toString()) : '';
      return `${head}changetype: moddn\n${formatLdifLine('newrdn', formatRdn(record.rdn))}deleteoldrdn: ${record.deleteOldRdn ? 1 : 0}\n${superior}\n`;
    }
  }
}
