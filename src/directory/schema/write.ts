/** A definition as the subschema entry publishes it: one line, keywords in the order of RFC 4512 §4.1, extensions last. */

const quoted = new Set(['NAME', 'DESC']);
const listed = new Set(['MUST', 'MAY', 'SUP']);
const order = [
  ...['NAME', 'DESC', 'OBSOLETE', 'SUP', 'ABSTRACT', 'STRUCTURAL', 'AUXILIARY', 'MUST', 'MAY', 'EQUALITY', 'ORDERING', 'SUBSTR', 'SYNTAX'],
  ...['SINGLE-VALUE', 'COLLECTIVE', 'NO-USER-MODIFICATION', 'USAGE'],
];

const quote = (text: string): string => `'${text.replace(/[\\']/g, (c) => (c === "'" ? '\\27' : '\\5C'))}'`;

export function writeDescription(oid: string, fields: ReadonlyMap<string, readonly string[]>): string {
  const rank = (field: string): number => (order.includes(field) ? order.indexOf(field) : order.length);
  const written = [...fields]
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([field, words]) => {
      if (words.length === 0) return field;
      const text = words.map((word) => (quoted.has(field) || field.startsWith('X-') ? quote(word) : word));
      if (text.length === 1) return `${field} ${text[0]}`;
      return `${field} ( ${text.join(listed.has(field) ? ' $ ' : ' ')} )`;
    });
  return `( ${[oid, ...written].join(' ')} )`;
}
