"""Reads a delivery report by Python's email, strictly: argv holds a file. Prints what a reader takes from it as JSON."""

import email
import email.policy
import json
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
# Anything that is not as the standards have it is an error.
message = email.message_from_bytes(data, policy=email.policy.default.clone(raise_on_defect=True))
text, status, original = message.iter_parts()
strict = email.policy.default.clone(raise_on_defect=True, utf8=True)
if status.get_content_type() == "message/delivery-status":
    blocks = status.get_payload()
else:
    # Python takes the groups of the international form for a message with a body.
    inner = status.get_payload()[0]
    rest = inner.get_payload(decode=True).decode("utf-8").replace("\r\n", "\n")
    blocks = [inner] + [email.message_from_string(block + "\n\n", policy=strict) for block in rest.strip().split("\n\n")]
groups = [[[name, str(value)] for name, value in group.items()] for group in blocks]
returned = original.get_payload()
print(
    json.dumps(
        {
            "type": message.get_content_type(),
            "reportType": message.get_param("report-type"),
            "headers": {name: str(message[name]) for name in ("From", "To", "Subject", "Auto-Submitted", "In-Reply-To", "MIME-Version")},
            "text": text.get_content(),
            "statusType": status.get_content_type(),
            "message": dict(groups[0]),
            "recipients": [dict(group) for group in groups[1:]],
            "originalType": original.get_content_type(),
            "original": original.get_content() if isinstance(returned, str) else returned[0].as_bytes().decode("utf-8", "replace"),
            "defects": [repr(defect) for part in message.walk() for defect in part.defects],
        }
    )
)
