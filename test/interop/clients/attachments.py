"""Compares messages with what became of their attachments, by Python's email and decoders of its own: argv holds a JSON file of
[name, kind, before, after], base64; kind is x-uuencode, appledouble, applesingle, binhex, macbinary, plain (no MIME) or plain7.

Prints as JSON what a reader would miss, and what of the result cannot be sent."""

import base64
import binascii
import codecs
import email
import email.policy
import json
import re
import struct
import sys
import unicodedata
from collections import Counter


def applefile(data, magic):
    found, version, count = struct.unpack(">II16xH", data[:26])
    if found != magic or version != 0x20000:
        raise ValueError("no Apple file")
    entries = {}
    for n in range(count):
        kind, offset, length = struct.unpack(">III", data[26 + 12 * n : 38 + 12 * n])
        if offset + length > len(data):
            raise ValueError("an entry lies outside")
        entries[kind] = data[offset : offset + length]
    return entries


def macbinary(data):
    if data[0] or not 1 <= data[1] <= 63 or len(data) % 128 or struct.unpack(">H", data[124:126])[0] != binascii.crc_hqx(data[:124], 0):
        raise ValueError("no MacBinary")
    size, fork = struct.unpack(">II", data[83:91])
    if len(data) != 128 + (size + 127) // 128 * 128 + (fork + 127) // 128 * 128:
        raise ValueError("MacBinary of another length")
    return data[128 : 128 + size]


ALPHABET = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"


def binhex(text):
    lines = text.split(b"\n")
    if any(len(line.rstrip(b"\r")) > 64 for line in lines if not line.startswith(b"(This file")):
        raise ValueError("a line of BinHex is too long")
    inner = b"".join(text[text.index(b":") + 1 : text.rindex(b":")].split())
    bits = "".join(format(ALPHABET.index(c), "06b") for c in inner)
    packed = bytes(int(bits[n : n + 8], 2) for n in range(0, len(bits) - 7, 8))
    out, at = bytearray(), 0
    while at < len(packed):
        if packed[at] != 0x90:
            out.append(packed[at])
        else:
            at += 1
            if packed[at] == 0:
                out.append(0x90)
            else:
                out += out[-1:] * (packed[at] - 1)
        at += 1
    name = out[0]
    size, fork = struct.unpack(">II", out[name + 12 : name + 20])
    at, data = name + 22, None
    for start, length in ((0, name + 20), (at, size), (at + size + 2, fork)):
        stretch = bytes(out[start : start + length])
        if struct.unpack(">H", out[start + length : start + length + 2])[0] != binascii.crc_hqx(stretch, 0):
            raise ValueError("a checksum of BinHex is wrong")
        data = stretch if start == at else data
    return data


def leaves(message):
    """Leaves as files or texts. A message that is encoded, which Python takes for text, is a file."""
    inside = set()
    for part in message.walk():
        if part.get_content_maintype() == "message" and str(part.get("content-transfer-encoding", "")).strip().lower() == "base64":
            inside.update(id(one) for one in part.walk())
            yield part, True, base64.b64decode("".join(one.get_payload() for one in part.get_payload()))
        if id(part) in inside:
            continue
        if part.is_multipart() or part.get_content_maintype() in ("multipart", "message"):
            continue
        data = part.get_payload(decode=True) or b""
        named = part.get_filename() is not None
        disposition = part.get_content_disposition()
        is_file = disposition == "attachment" or part.get_content_maintype() != "text" or (named and disposition != "inline")
        yield part, is_file, data


def of_page(message):
    """Leaves in multipart/related that are no files of their own."""
    found = set()
    for part in message.walk():
        if part.get_content_type() == "multipart/related" and part.is_multipart():
            found.update(id(child) for child in part.get_payload() if child.get_content_disposition() != "attachment")
    return found


def decoded(kind, part, data):
    """The data of a file as it was before it was made into another form; None for what was not."""
    subtype = part.get_content_type()
    if kind == "applesingle" and subtype == "application/applefile":
        return applefile(data, 0x00051600)[1]
    if kind == "macbinary" and subtype == "application/macbinary":
        return macbinary(data)
    if kind == "binhex" and subtype == "application/mac-binhex40":
        return binhex(data)
    if kind == "x-uuencode" or kind is None:
        return data
    if kind == "appledouble" and subtype == "application/applefile":
        entries = applefile(data, 0x00051607)
        if entries.get(2, b"x") != b"" or 9 not in entries:
            raise ValueError("AppleDouble without resource fork or Finder info")
        return None
    return data


def same(data):
    """Line ends at the end are a matter of taste where a file is text."""
    return data.replace(b"\r\n", b"\n").rstrip(b"\n")


def files_in_text(body):
    """Those that were written by uuencode as we do it; what others wrote into their text is text."""
    data = None
    for line in body.split(b"\r\n"):
        if line.startswith(b"begin 644 "):
            data = b""
        elif data is not None and line == b"end":
            yield data
            data = None
        elif data is not None:
            try:
                data += binascii.a2b_uu(line)
            except binascii.Error:
                data = None


def contents(kind, message):
    """Every file, those in text too, and the text besides."""
    files, words = Counter(), b""
    for part, is_file, data in leaves(message):
        data = decoded(kind, part, data)
        if data is None:
            continue
        if is_file:
            files[same(data)] += 1
            continue
        at = 0
        for match in re.finditer(rb"^begin [0-7]{3}( [^\r\n]*)?\r?\n(M[^a-z]{60,61}\r?\n)*([^a-z\r\n]{1,60}\r?\n)([` ]?\r?\n)*end\r?\n", data, re.M):
            lines = match.group(0).split(b"\n")[1:]
            files[same(b"".join(binascii.a2b_uu(line.rstrip(b"\r")) for line in lines[:-2] if line.strip(b"\r` ")))] += 1
            words += data[at : match.start()]
            at = match.end()
        words += data[at:]
    return files, b"".join(words.split())


def squashed(text):
    return re.sub(r"[\s\0]+", "", text)


def ascii_of(text):
    return "".join(c for c in unicodedata.normalize("NFKD", text) if c < "\x80")


def compare_plain(kind, one, before, after):
    wrong = []
    header, _, body = (b"\r\n" + after).partition(b"\r\n\r\n")
    if re.search(rb"^(mime-version|content-(?!identifier|return)[a-z-]+)[ \t]*:", header, re.I | re.M):
        wrong.append("MIME is left in the header")
    if kind == "plain7" and any(octet > 127 for octet in after):
        wrong.append("8-bit octets are left")
    was = Counter(same(data) for part, is_file, data in leaves(one) if is_file)
    now = Counter(same(data) for data in files_in_text(body))
    # What has a name and no type that is one is text for some.
    lost = [data for data in was - now if data not in same(body)]
    if lost:
        wrong.append("lost files: %r" % [data[:60] for data in lost])
    versions = {id(leaf) for part in one.walk() if part.get_content_type() == "multipart/alternative" for leaf in part.walk()}
    for part, is_file, data in leaves(one):
        if is_file or part.get_content_type() != "text/plain" or id(part) in versions:
            continue
        charset = part.get_content_charset("latin-1")
        try:
            text = data.decode("utf-8" if charset in ("us-ascii", "unknown-8bit") else charset, "replace")
        except LookupError:
            text = data.decode("latin-1")
        heard = [squashed(body.decode(c, "replace")) for c in (charset if charset != "unknown-8bit" else "latin-1", "utf-8", "latin-1") if known(c)]
        wanted = squashed(text)
        if kind == "plain7":
            # Marks are off, and signs written out: letters and digits are there in their order.
            letters = re.sub(r"[^A-Za-z0-9]", "", ascii_of(wanted)) if wanted.isascii() else ""
            heard = [re.sub(r"[^A-Za-z0-9]", "", one) for one in heard]
            wanted = letters
        if not any(wanted in one for one in heard):
            wrong.append("lost text: %r" % text[:80])
    return wrong


def known(charset):
    try:
        codecs.lookup(charset)
        return True
    except LookupError:
        return False


def compare(kind, before, after):
    wrong = []
    if re.search(rb"(?<!\r)\n|\r(?!\n)", after):
        wrong.append("bare CR or LF")
    if max(map(len, after.split(b"\r\n"))) > max(998, 0 if kind.startswith("plain") else max(map(len, before.split(b"\r\n")))):
        wrong.append("a line is too long")
    one = email.message_from_bytes(before, policy=email.policy.compat32)
    if kind.startswith("plain"):
        return wrong + compare_plain(kind, one, before, after)
    two = email.message_from_bytes(after, policy=email.policy.compat32)
    for part in two.walk():
        if part.defects:
            kinds = {type(defect).__name__ for defect in part.defects} - {type(d).__name__ for p in one.walk() for d in p.defects}
            if kinds:
                wrong.append("defects: %r" % sorted(kinds))
    try:
        (files, words), (files2, words2) = contents(None, one), contents(kind, two)
        if files != files2:
            wrong.append("lost %r, new %r" % ([d[:60] for d in files - files2], [d[:60] for d in files2 - files]))
        if words != words2:
            wrong.append("another text")
    except Exception as error:
        wrong.append("%s: %s" % (type(error).__name__, error))
    for name in ("Subject", "From", "To", "Date", "Message-ID"):
        if one.get_all(name) != two.get_all(name):
            wrong.append("%s has changed" % name)
    names = [Counter(str(p.get_filename()) for p, is_file, _ in leaves(m) if is_file and p.get_filename()) for m in (one, two)]
    if kind == "x-uuencode" and names[0] != names[1]:
        wrong.append("names: %r" % names)
    page = of_page(one)
    changed = [p for p, is_file, _ in leaves(one) if is_file and id(p) not in page]
    if kind == "x-uuencode" and not any(str(p.get("content-transfer-encoding", "")).startswith("x-uu") for p in two.walk()) and changed:
        wrong.append("nothing is uuencoded")
    return wrong


with open(sys.argv[1]) as file:
    given = json.load(file)
found = {}
for name, kind, before, after in given:
    wrong = compare(kind, base64.b64decode(before), base64.b64decode(after))
    if wrong:
        found["%s (%s)" % (name, kind)] = wrong
print(json.dumps(found))
