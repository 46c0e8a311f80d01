"""Compares messages with what became of them, by Python's email: argv holds a JSON file of pairs [name, before, after], base64.

Prints as JSON the differences a reader would see, and what of the result is no 7-bit mail."""

import base64
import email
import email.policy
import json
import re
import sys
from email.header import decode_header


def decoded(octets, charset):
    """Unknown character sets, an octet a character: whatever it says, it says the same."""
    try:
        return octets.decode(charset or "ascii")
    except (LookupError, UnicodeDecodeError):
        return octets.decode("latin-1")


def text_of(value):
    """A header as people read it: blanks folded, other characters whatever way they were written."""
    raw = str(value).encode("utf-8", "surrogateescape")
    try:
        plain = raw.decode("utf-8")
    except UnicodeDecodeError:
        plain = raw.decode("latin-1")
    try:
        plain = "".join(text if isinstance(text, str) else decoded(text, charset) for text, charset in decode_header(plain))
    except Exception:
        pass
    return " ".join(plain.replace('"', "").replace("<", " <").split())


def same(was, now):
    """In an address nothing can be encoded: there a question mark stands for what was against the rules."""
    return was == now or ("@" in now and re.sub(r"[^ -~]", "?", was) == now)


def body_of(part):
    data = part.get_payload(decode=True)
    return None if data is None else data.replace(b"\r\n", b"\n").rstrip(b"\n")


def parts(message):
    # Where Python sees no parts in a multipart, its text is for nobody.
    for part in message.walk():
        yield part.get_content_type(), None if part.get_content_maintype() == "multipart" or part.is_multipart() else body_of(part)


def compare(before, after):
    wrong = []
    if any(octet > 127 for octet in after):
        wrong.append("8-bit octets are left")
    if max(len(line) for line in after.split(b"\r\n")) > 998:
        wrong.append("a line is too long")
    one = email.message_from_bytes(before, policy=email.policy.compat32)
    two = email.message_from_bytes(after, policy=email.policy.compat32)
    a, b = list(parts(one)), list(parts(two))
    if [kind for kind, _ in a] != [kind for kind, _ in b]:
        wrong.append("the parts are others: %r, %r" % ([k for k, _ in a], [k for k, _ in b]))
    else:
        for number, ((kind, was), (_, now)) in enumerate(zip(a, b)):
            if was != now:
                wrong.append("part %d (%s) says something else: %r, %r" % (number, kind, (was or b"")[:80], (now or b"")[:80]))
    for name in ("Subject", "From", "To", "Cc", "Date", "Message-ID"):
        was, now = [[text_of(v) for n, v in m.raw_items() if n.lower() == name.lower()] for m in (one, two)]
        if len(was) != len(now) or not all(map(same, was, now)):
            wrong.append("%s: %r, %r" % (name, was, now))
    return wrong


with open(sys.argv[1]) as file:
    pairs = json.load(file)
found = {}
for name, before, after in pairs:
    wrong = compare(base64.b64decode(before), base64.b64decode(after))
    if wrong:
        found[name] = wrong
print(json.dumps(found))
