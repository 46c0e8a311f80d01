/**
 * What people read in a page, as plain text: for readers that have nothing but text.
 *
 * Promise: linear time, no recursion, any input gives text. Layout is not kept but for paragraphs, lines, lists, quotations and links.
 */

const named: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  shy: '',
  copy: '©',
  reg: '®',
  trade: '™',
  euro: '€',
  pound: '£',
  yen: '¥',
  cent: '¢',
  sect: '§',
  para: '¶',
  deg: '°',
  plusmn: '±',
  middot: '·',
  bull: '•',
  hellip: '…',
  ndash: '–',
  mdash: '—',
  lsquo: '‘',
  rsquo: '’',
  sbquo: '‚',
  ldquo: '“',
  rdquo: '”',
  bdquo: '„',
  laquo: '«',
  raquo: '»',
  lsaquo: '‹',
  rsaquo: '›',
  times: '×',
  divide: '÷',
  iexcl: '¡',
  iquest: '¿',
  larr: '←',
  rarr: '→',
  frac12: '½',
  frac14: '¼',
  frac34: '¾',
  sup1: '¹',
  sup2: '²',
  sup3: '³',
  ordf: 'ª',
  ordm: 'º',
  micro: 'µ',
  szlig: 'ß',
  aelig: 'æ',
  AElig: 'Æ',
  oslash: 'ø',
  Oslash: 'Ø',
  aring: 'å',
  Aring: 'Å',
  ccedil: 'ç',
  Ccedil: 'Ç',
  ntilde: 'ñ',
  Ntilde: 'Ñ',
  eth: 'ð',
  ETH: 'Ð',
  thorn: 'þ',
  THORN: 'Þ',
  oelig: 'œ',
  OElig: 'Œ',
  scaron: 'š',
  Scaron: 'Š',
  ensp: ' ',
  emsp: ' ',
  thinsp: ' ',
  zwnj: '',
  zwj: '',
};
const marks: Readonly<Record<string, string>> = { acute: '\u0301', grave: '\u0300', circ: '\u0302', uml: '\u0308', tilde: '\u0303' };

function entity(body: string): string | undefined {
  if (body.startsWith('#')) {
    const code = /^#x/i.test(body) ? Number.parseInt(body.slice(2), 16) : Number.parseInt(body.slice(1), 10);
    return code > 31 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : ' ';
  }
  const plain = Object.hasOwn(named, body) ? named[body] : undefined;
  if (plain !== undefined) return plain;
  const letter = /^([A-Za-z])(acute|grave|circ|uml|tilde)$/.exec(body);
  return letter ? `${letter[1]}${marks[letter[2] as string]}`.normalize('NFC') : undefined;
}

const decoded = (text: string): string =>
  text.replace(/&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,9});?/g, (whole, body: string) => entity(body) ?? whole);

const newParagraph = /^(?:p|h[1-6]|ul|ol|dl|table|blockquote|pre|form|fieldset|hr)$/;
const newLine = /^(?:br|div|li|tr|dt|dd|section|article|header|footer|address|caption|title|center)$/;
const unseen = /^(?:script|style|head|template|noscript|select|textarea|svg|object|iframe)$/;

/** Text that grows, its blanks shared. */
class Page {
  #out: string[] = [];
  #breaks = 0;
  #blank = false;
  #begun = false;

  text(text: string, pre: boolean): void {
    for (const piece of pre ? [text] : text.split(/([ \t\r\n\f]+)/)) {
      if (piece === '') continue;
      if (!pre && /^[ \t\r\n\f]/.test(piece)) this.#blank = true;
      else this.#word(piece);
    }
  }

  #word(word: string): void {
    if (this.#begun && this.#breaks > 0) this.#out.push('\n'.repeat(this.#breaks));
    else if (this.#begun && this.#blank) this.#out.push(' ');
    this.#breaks = 0;
    this.#blank = false;
    this.#begun = true;
    this.#out.push(word);
  }

  break(lines: 1 | 2): void {
    this.#breaks = Math.max(this.#breaks, lines);
    this.#blank = false;
  }

  toString(): string {
    return this.#out.join('');
  }
}

/** `html`: as much as is to be read; it is in memory as a whole. */
export function htmlText(html: string): string {
  const page = new Page();
  let at = 0;
  let [pre, link] = [0, ''];
  const endless = new Set<string>();
  while (at < html.length) {
    const open = html.indexOf('<', at);
    const to = open < 0 ? html.length : open;
    if (to > at) page.text(decoded(html.slice(at, to)), pre > 0);
    if (open < 0) break;
    const tag = tagAt(html, open);
    at = tag.end;
    const { name, closing } = tag;
    if (name === '') page.text('<', true);
    else if (!closing && unseen.test(name) && !endless.has(name)) {
      const end = behind(html, at, name);
      // Not looked for again: each of many would cost the whole rest.
      if (end === undefined) endless.add(name);
      else at = end;
    } else if (newParagraph.test(name)) page.break(2);
    else if (newLine.test(name)) page.break(1);
    else if (name === 'td' || name === 'th') page.text(' ', false);
    if (name === 'pre') pre = Math.max(0, pre + (closing ? -1 : 1));
    if (name === 'li' && !closing) page.text('* ', true);
    if (name === 'hr') page.text('----------', true);
    if (name === 'a') link = anchor(page, html.slice(open, tag.end), closing, link);
  }
  return `${page.toString()}\n`;
}

interface Tag {
  readonly name: string;
  readonly closing: boolean;
  readonly end: number;
}

/** Nothing is longer than that: what goes on is text. */
const longestTag = 16_384;

function tagAt(html: string, open: number): Tag {
  if (html.startsWith('<!--', open)) {
    const end = html.indexOf('-->', open + 4);
    return { name: '!', closing: false, end: end < 0 ? html.length : end + 3 };
  }
  const head = /^<(\/?)([a-z!?][a-z0-9:]{0,20})/i.exec(html.slice(open, open + 24));
  if (!head) return { name: '', closing: false, end: open + 1 };
  const end = html.slice(open, open + longestTag).indexOf('>');
  return {
    name: (head[2] as string).toLowerCase(),
    closing: head[1] === '/',
    end: end < 0 ? Math.min(html.length, open + longestTag) : open + end + 1,
  };
}

/** Behind the end of an element of which nothing is shown; undefined where it has none. */
function behind(html: string, from: number, name: string): number | undefined {
  const close = new RegExp(`</${name}\\b[^>]{0,100}>`, 'gi');
  close.lastIndex = from;
  return close.exec(html) ? close.lastIndex : undefined;
}

/** Where a link goes, behind what it says. */
function anchor(page: Page, tag: string, closing: boolean, open: string): string {
  if (!closing) return decoded(/\bhref\s{0,9}=\s{0,9}["']?((?:https?|ftp|mailto):[^"'\s>]{1,1000})/i.exec(tag)?.[1] ?? '');
  if (open !== '' && !open.startsWith('mailto:')) page.text(` <${open}>`, false);
  return '';
}
