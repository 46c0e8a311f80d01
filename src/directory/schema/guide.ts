/**
 * Search guides: which object class to search, by which attributes.
 *
 * Read in one pass with a counter for parentheses: nesting costs nothing.
 * Spec: RFC 4517 §3.3.10, §3.3.14
 */

const oid = '(?:[A-Za-z][A-Za-z0-9-]*|(?:0|[1-9]\\d*)(?:\\.(?:0|[1-9]\\d*))+)';
const objectClass = new RegExp(`^ *${oid} *$`);
const term = new RegExp(`!*(?:(\\()|\\?(?:true|false)|${oid}\\$(?:EQ|SUBSTR|GE|LE|APPROX))`, 'iy');

function isCriteria(text: string): boolean {
  let open = 0;
  let at = 0;
  while (at < text.length) {
    term.lastIndex = at;
    const match = term.exec(text);
    if (!match) return false;
    at = term.lastIndex;
    if (match[1] !== undefined) {
      open += 1;
      continue;
    }
    while (text[at] === ')' && open > 0) {
      open -= 1;
      at += 1;
    }
    if (at === text.length) return open === 0;
    if (text[at] !== '&' && text[at] !== '|') return false;
    at += 1;
  }
  return false;
}

export function isGuide(text: string): boolean {
  const parts = text.split('#');
  const [first = '', second] = parts;
  return parts.length <= 2 && (second === undefined ? isCriteria(first) : objectClass.test(first) && isCriteria(second));
}

export function isEnhancedGuide(text: string): boolean {
  const parts = text.split('#');
  const [item = '', criteria = '', subset = ''] = parts;
  return (
    parts.length === 3 &&
    objectClass.test(item) &&
    isCriteria(criteria.replace(/^ +/, '').replace(/(?<! ) +$/, '')) &&
    /^ *(?:baseobject|oneLevel|wholeSubtree)$/i.test(subset)
  );
}
