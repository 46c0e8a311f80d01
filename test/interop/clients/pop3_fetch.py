"""Reads a whole maildrop with poplib: each message's octets go to DIRECTORY/NUMBER. Prints the sizes of LIST as JSON."""
import json, os, poplib, sys

port, user, password, directory = sys.argv[1:5]
# Lines of real mail are longer than poplib likes.
poplib._MAXLINE = 1 << 24
client = poplib.POP3('127.0.0.1', int(port), timeout=60)
client.user(user)
client.pass_(password)
_, listed, _ = client.list()
sizes = [int(line.split()[1]) for line in listed]
for number in range(1, len(sizes) + 1):
    _, lines, _ = client.retr(number)
    with open(os.path.join(directory, str(number)), 'wb') as out:
        out.write(b''.join(line + b'\r\n' for line in lines))
client.quit()
print(json.dumps(sizes))
