/**
 * Text in ASCII, as near to what it says as a reader needs.
 *
 * Spec: Unicode normalization form KD; the rest of the table is how people write these characters on a typewriter.
 */

const signs: Readonly<Record<string, string>> = {
  '‘': "'",
  '’': "'",
  '‚': "'",
  '‛': "'",
  '′': "'",
  '‹': '<',
  '›': '>',
  '“': '"',
  '”': '"',
  '„': '"',
  '‟': '"',
  '″': '"',
  '«': '<<',
  '»': '>>',
  '‐': '-',
  '‑': '-',
  '‒': '-',
  '–': '-',
  '—': '--',
  '―': '--',
  '−': '-',
  '⁃': '-',
  '•': '*',
  '·': '*',
  '●': '*',
  '▪': '*',
  '◦': 'o',
  '€': 'EUR',
  '£': 'GBP',
  '¥': 'JPY',
  '¢': 'c',
  '©': '(c)',
  '®': '(R)',
  '°': ' deg',
  '§': 'par. ',
  '¶': 'P',
  '†': '+',
  '‡': '++',
  '¦': '|',
  ß: 'ss',
  ẞ: 'SS',
  æ: 'ae',
  Æ: 'AE',
  œ: 'oe',
  Œ: 'OE',
  ø: 'o',
  Ø: 'O',
  đ: 'd',
  Đ: 'D',
  ł: 'l',
  Ł: 'L',
  þ: 'th',
  Þ: 'Th',
  ð: 'd',
  Ð: 'D',
  ı: 'i',
  ħ: 'h',
  Ħ: 'H',
  ŋ: 'ng',
  Ŋ: 'NG',
  '¡': '!',
  '¿': '?',
  '×': 'x',
  '÷': '/',
  '⁄': '/',
  '∕': '/',
  '±': '+/-',
  '¬': 'not ',
  '¤': '$',
  '←': '<-',
  '→': '->',
  '⇒': '=>',
  '≤': '<=',
  '≥': '>=',
  '≠': '!=',
  '≈': '~',
  '\u00ad': '',
  '\u200b': '',
  '\u200c': '',
  '\u200d': '',
  '\u2060': '',
  '\ufeff': '',
  '\ufe0f': '',
  '\u200e': '',
  '\u200f': '',
  '\u2028': '\n',
  '\u2029': '\n\n',
};

/** `lost`: whether there were characters for which there is nothing: question marks stand for them. */
export function transliterated(text: string): { readonly ascii: string; readonly lost: boolean } {
  if (!/[^\x00-\x7f]/.test(text)) return { ascii: text, lost: false };
  let lost = false;
  const ascii = text.replace(/[^\x00-\x7f]/gu, (character) => {
    const simple = simpleFor(character);
    if (simple === undefined) lost = true;
    return simple ?? '?';
  });
  return { ascii, lost };
}

/** Marks of letters alone are nothing. A sign of its own comes first: what it is made of may say something else. */
function simpleFor(character: string): string | undefined {
  const own = signs[character];
  if (own !== undefined) return own;
  let out = '';
  for (const c of character.normalize('NFKD').replace(/\p{M}+/gu, '')) {
    const one = c <= '\x7f' ? c : signs[c];
    if (one === undefined) return undefined;
    out += one;
  }
  return out;
}
