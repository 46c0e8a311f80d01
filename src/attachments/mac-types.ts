/**
 * What the Finder calls files, and what MIME calls them.
 *
 * Source: type and creator codes in wide use, as file servers for Macintoshes (netatalk, CAP) and MIME programs map them.
 */

/** Ending, content type, type, creator. The first line with a content type or a type is the one it becomes. */
const table = `
txt text/plain TEXT ttxt
text text/plain TEXT ttxt
csv text/csv TEXT XCEL
htm text/html TEXT MSIE
html text/html TEXT MSIE
xml text/xml TEXT ttxt
rtf application/rtf RTF_ MSWD
rtf text/rtf RTF_ MSWD
c text/x-csrc TEXT ttxt
h text/x-chdr TEXT ttxt
ics text/calendar TEXT ttxt
vcf text/vcard TEXT ttxt
vcf text/x-vcard TEXT ttxt
pdf application/pdf PDF_ CARO
ps application/postscript TEXT vgrd
eps application/postscript EPSF vgrd
ai application/illustrator TEXT ART3
doc application/msword W8BN MSWD
dot application/msword sW8N MSWD
docx application/vnd.openxmlformats-officedocument.wordprocessingml.document WXBN MSWD
xls application/vnd.ms-excel XLS8 XCEL
xlsx application/vnd.openxmlformats-officedocument.spreadsheetml.sheet XLSX XCEL
ppt application/vnd.ms-powerpoint SLD8 PPT3
pptx application/vnd.openxmlformats-officedocument.presentationml.presentation PPTX PPT3
wks application/vnd.lotus-1-2-3 LWKS L123
zip application/zip ZIP_ SITx
sit application/x-stuffit SITD SITx
sit application/x-stuffit SIT! SITx
sitx application/x-stuffitx SITX SITx
sea application/x-sea APPL aust
cpt application/mac-compactpro PACT CPCT
hqx application/mac-binhex40 TEXT SITx
gz application/gzip Gzip SITx
tgz application/gzip Gzip SITx
z application/x-compress ZIVM SITx
tar application/x-tar TARF SITx
exe application/x-msdownload DEXE dosa
gif image/gif GIFf ogle
jpg image/jpeg JPEG ogle
jpeg image/jpeg JPEG ogle
png image/png PNGf ogle
tif image/tiff TIFF ogle
tiff image/tiff TIFF ogle
pct image/x-pict PICT ogle
pict image/x-pict PICT ogle
bmp image/bmp BMPf ogle
bmp image/bmp BMP_ ogle
psd image/vnd.adobe.photoshop 8BPS 8BIM
pntg image/x-macpaint PNTG ogle
tga image/x-targa TPIC ogle
aif audio/x-aiff AIFF TVOD
aiff audio/x-aiff AIFF TVOD
aif audio/aiff AIFF TVOD
aifc audio/x-aiff AIFC TVOD
au audio/basic ULAW TVOD
snd audio/basic ULAW TVOD
wav audio/x-wav WAVE TVOD
wav audio/wav WAVE TVOD
mid audio/midi Midi TVOD
mp3 audio/mpeg MPG3 TVOD
mp3 audio/mpeg MP3_ TVOD
mov video/quicktime MooV TVOD
qt video/quicktime MooV TVOD
mpg video/mpeg MPEG TVOD
mpeg video/mpeg MPEG TVOD
avi video/x-msvideo VfW_ TVOD
swf application/x-shockwave-flash SWFL SWF2
fm application/vnd.framemaker FASL Fram
`;

interface Line {
  readonly ending: string;
  readonly content: string;
  readonly type: string;
  readonly creator: string;
}

const lines: readonly Line[] = table
  .trim()
  .split('\n')
  .map((line) => {
    const [ending = '', content = '', type = '', creator = ''] = line.split(' ');
    // A blank is part of some codes.
    return { ending, content, type: type.replaceAll('_', ' '), creator };
  });

const firstBy = (key: (line: Line) => string): ReadonlyMap<string, Line> => new Map(lines.toReversed().map((line) => [key(line), line]));
const byEnding = firstBy(({ ending }) => ending);
const byContent = firstBy(({ content }) => content);
const byType = firstBy(({ type }) => type);

export interface MacType {
  readonly type: string;
  readonly creator: string;
}

/** By its content type, unless that says nothing; then by its ending. */
export function macTypeOf(contentType: string, extension: string): MacType {
  const found = byContent.get(contentType) ?? byEnding.get(extension.replace('.', '').toLowerCase());
  if (found) return found;
  return contentType.startsWith('text/') ? { type: 'TEXT', creator: 'ttxt' } : { type: '????', creator: '????' };
}

const anything = 'application/octet-stream';

/**
 * Of the data of a Macintosh's file. Text of a Macintosh is none for MIME, its lines end otherwise: it has no type, but an ending.
 */
export function contentTypeOf(type: string, extension: string): { readonly contentType: string; readonly ending: string } {
  const found = byEnding.get(extension.replace('.', '').toLowerCase()) ?? byType.get(type);
  const contentType = found?.content ?? anything;
  return {
    contentType: contentType.startsWith('text/') ? anything : contentType,
    ending: extension === '' && found ? `.${found.ending}` : '',
  };
}
