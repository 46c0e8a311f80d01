"""Reads a whole mailbox with imaplib: each message's octets go to DIRECTORY/UID. Prints the UIDs as JSON."""
import imaplib, json, os, sys

port, user, password, mailbox, directory = sys.argv[1:6]
client = imaplib.IMAP4('127.0.0.1', int(port))
client.login(user, password)
status, _ = client.select(mailbox, readonly=True)
assert status == 'OK', status
status, found = client.uid('SEARCH', 'ALL')
assert status == 'OK', status
uids = found[0].decode().split()
for uid in uids:
    status, data = client.uid('FETCH', uid, '(BODY.PEEK[])')
    assert status == 'OK', (uid, status, data)
    with open(os.path.join(directory, uid), 'wb') as out:
        out.write(data[0][1])
client.close()
client.logout()
print(json.dumps(uids))
