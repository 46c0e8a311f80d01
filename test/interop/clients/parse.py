"""What Python's email package sees in the files of DIRECTORY. Prints by file name: subject, senders, defects, leaves as JSON."""
import email, email.policy, email.utils, json, os, sys, hashlib


def leaves(part, path):
    """IMAP's numbering: a message that is not multipart has part 1; a message/rfc822 part's own parts are below its number."""
    if part.get_content_type() == 'message/rfc822' and part.is_multipart():
        inner, here = part.get_payload(0), path or [1]
        return leaves(inner, here if inner.get_content_maintype() == 'multipart' else here + [1])
    if part.get_content_maintype() == 'multipart' and part.is_multipart():
        found = []
        for number, child in enumerate(part.get_payload(), 1):
            found += leaves(child, path + [number])
        return found
    # What get_payload returns is decoded by the charset; what was parsed is wanted.
    payload = part._payload
    octets = payload.encode('utf-8', 'surrogateescape') if isinstance(payload, str) else None
    digest = hashlib.sha256(octets).hexdigest()[:8] if octets is not None else None
    return [['.'.join(map(str, path or [1])), part.get_content_type(), digest]]


def defects(part):
    return len(part.defects) + sum(defects(child) for child in (part.get_payload() if part.is_multipart() else []))


seen = {}
for name in os.listdir(sys.argv[1]):
    with open(os.path.join(sys.argv[1], name), 'rb') as file:
        message = email.message_from_bytes(file.read(), policy=email.policy.compat32)
    try:
        subject = str(email.header.make_header(email.header.decode_header(message['Subject'] or '')))
    except Exception:
        subject = None
    senders = [address for _, address in email.utils.getaddresses([str(message['From'] or '')])]
    seen[name] = {
        'subject': subject,
        'from': senders,
        'subjects': len(message.get_all('Subject') or []),
        'defects': defects(message),
        'leaves': leaves(message, []),
    }
print(json.dumps(seen))
