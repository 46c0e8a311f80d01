"""Reads reports (RFC 3464) as receivers do: with Python's email package and, for failures, with Mailman's bounce reader. Messages as paths; prints JSON."""
import json, sys
from email import message_from_binary_file, policy

import flufl.bounce


def fields(message):
    """Of a header: names as they are, values with their type or as text."""
    return {name: str(value) for name, value in message.items()}


def defects(message):
    found = [repr(one) for one in message.defects]
    for value in message.values():
        found += [repr(one) for one in getattr(value, 'defects', ())]
    for part in message.get_payload() if message.is_multipart() else ():
        found += defects(part)
    return found


def read(path):
    with open(path, 'rb') as file:
        message = message_from_binary_file(file, policy=policy.SMTPUTF8)
    with open(path, 'rb') as file:
        plain = message_from_binary_file(file)
    parts = list(message.iter_parts())
    status = parts[1]
    original = parts[2]
    returned = original.get_payload(0) if original.get_content_type() in ('message/rfc822', 'message/global') else None
    temporary, permanent = flufl.bounce.all_failures(plain)
    return {
        'header': fields(message),
        'type': message.get_content_type(),
        'reportType': message.get_param('report-type'),
        'parts': [part.get_content_type() for part in parts],
        'text': parts[0].get_content(),
        'status': [fields(block) for block in status.get_payload()] if status.is_multipart() else str(status.get_payload()),
        'returned': fields(returned) if returned else original.get_payload(),
        'returnedBody': returned.get_payload(decode=False) if returned and not returned.is_multipart() else None,
        'defects': defects(message),
        'temporary': sorted(one.decode() for one in temporary),
        'permanent': sorted(one.decode() for one in permanent),
    }


print(json.dumps([read(path) for path in sys.argv[1:]]))
