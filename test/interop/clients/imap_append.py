"""Appends the files of DIRECTORY (0, 1, 2 …) to a mailbox with imaplib. Prints the status of each as JSON."""
import imaplib, json, os, socket, sys

port, user, password, mailbox, directory = sys.argv[1:6]
# imaplib makes the line ends of what it appends CR LF; here the octets go as they are.
imaplib.MapCRLF = imaplib.re.compile(rb'(?!)')
client = imaplib.IMAP4('127.0.0.1', int(port))
# It writes a literal and its line end apart; the second would wait for the acknowledgement of the first.
client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
client.login(user, password)
client.create(mailbox)
answers = []
for name in sorted(os.listdir(directory), key=int):
    with open(os.path.join(directory, name), 'rb') as file:
        status, data = client.append(mailbox, '(\\Seen)', imaplib.Time2Internaldate(1000000000), file.read())
    answers.append([status, data[-1].decode('latin-1')])
client.logout()
print(json.dumps(answers))
