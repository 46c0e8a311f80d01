/** Valid conversations with every door, as the messages of a client: what the fuzzer of whole servers mutates. */

import { encodeRequest, parseFilter, type Request } from '../../src/ldap-wire/index.ts';

export const protocols = ['ldap', 'smtp', 'submission', 'imap', 'pop3', 'http'] as const;
export type Protocol = (typeof protocols)[number];

/** The account in whose name the fuzzer logs in; its mailbox is not looked at afterwards. */
export const fuzzer = { name: 'user2@jade.net', dn: 'mail=user2@jade.net,dc=jade,dc=net' } as const;

const lines = (text: string): Buffer[] => text.split('\n').map((line) => Buffer.from(`${line}\r\n`, 'utf8'));

const everything = ['*', '+'];
function search(base: string, filter: string, attributes = everything): Request {
  const limits = { derefAliases: 0, sizeLimit: 0, timeLimit: 0, typesOnly: false } as const;
  return { op: 'search', base, scope: 'sub', filter: parseFilter(filter), attributes, ...limits };
}

function ldap(password: string): Buffer[] {
  const requests: Request[] = [
    { op: 'bind', version: 3, name: fuzzer.dn, method: { type: 'simple', password: Buffer.from(password) } },
    search('dc=jade,dc=net', '(&(objectClass=*)(|(mail=user*@j*et)(!(cn>=a))(sn~=one)(cn:caseExactMatch:=x)))'),
    search('', '(objectClass=*)'),
    search('cn=monitor', '(objectClass=*)'),
    search('cn=subschema', '(objectClass=subschema)', ['attributeTypes']),
    { op: 'compare', dn: fuzzer.dn, attribute: 'cn', value: Buffer.from('Jade Two') },
    { op: 'modify', dn: fuzzer.dn, modifications: [{ operation: 'replace', attribute: { name: 'description', values: ['ü', 'x'] } }] },
    { op: 'modify', dn: fuzzer.dn, modifications: [{ operation: 'delete', attribute: { name: 'description', values: [] } }] },
    { op: 'add', dn: `cn=a\\2Cb+sn=\\00,${fuzzer.dn}`, attributes: [{ name: 'objectClass', values: ['device'] }] },
    { op: 'rename', dn: fuzzer.dn, rdn: 'mail=other', deleteOldRdn: true, newSuperior: 'dc=example,dc=test' },
    { op: 'delete', dn: `cn=none,${fuzzer.dn}` },
    { op: 'abandon', target: 2 },
    { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined },
    { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: Buffer.from([0x30, 0x05, 0x81, 0x03, 0x61, 0x62, 0x63]) },
    { op: 'extended', oid: '1.3.6.1.4.1.1466.20037', value: undefined },
    { op: 'bind', version: 3, name: '', method: { type: 'sasl', mechanism: 'PLAIN', credentials: Buffer.from('\0a\0b') } },
    { op: 'unbind' },
  ];
  return requests.map((request, n) => Buffer.from(encodeRequest(n + 1, request)));
}

const message = `From: "=?utf-8?q?gr=C3=BC=C3=9Fe?=" <a@elsewhere.test>
To: <user2@jade.net>
Subject: fuzz
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_b"

--=_b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

gr=C3=BC=C3=9Fe=
..
--=_b
Content-Type: message/rfc822

Subject: inner

inner text
--=_b--`;

const smtp = `EHLO client.test
MAIL FROM:<a@elsewhere.test> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By
RCPT TO:<user2@jade.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@c.test
RCPT TO:<@a,@b:"quoted \\" local"@jade.net>
DATA
${message}
.
NOOP
VRFY user2@jade.net
EXPN all
HELP
RSET
HELO [IPv6:::1]
MAIL FROM:<>
RCPT TO:<postmaster>
DATA
${message}
.
QUIT`;

const submission = (password: string): string => `EHLO client.test
AUTH PLAIN ${Buffer.from(`\0${fuzzer.name}\0${password}`).toString('base64')}
${smtp.replaceAll('a@elsewhere.test', fuzzer.name)}`;

const imap = (password: string): string => `a CAPABILITY
b LOGIN ${fuzzer.name} "${password}"
c AUTHENTICATE PLAIN ${Buffer.from(`\0${fuzzer.name}\0${password}`).toString('base64')}
d SELECT INBOX (CONDSTORE)
e FETCH 1:* (FLAGS UID ENVELOPE BODYSTRUCTURE BODY.PEEK[1.2.HEADER.FIELDS (SUBJECT "X")]<0.100> RFC822.SIZE)
f UID FETCH 1:* (BODY[] BINARY.PEEK[1])
g STORE 1 +FLAGS.SILENT (\\Seen $x)
h SEARCH CHARSET UTF-8 OR (UNSEEN SINCE 1-Jan-2020) NOT BODY {3+}
abc LARGER 100 UID 1:*
i APPEND INBOX (\\Seen) "17-Jul-1996 02:44:25 -0700" {22+}
Subject: x

some text

j CREATE "f&APw-/sub"
k RENAME f&APw- g
l LIST (SUBSCRIBED) "" ("*" "%") RETURN (CHILDREN STATUS (MESSAGES UNSEEN))
m STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)
n COPY 1:2 g
o UID MOVE 1 g
p EXPUNGE
q DELETE g
r NAMESPACE
s ID ("name" "x")
t IDLE
DONE
u ENABLE CONDSTORE QRESYNC
v UNSELECT
w LOGOUT`;

const pop3 = (password: string): string => `CAPA
USER ${fuzzer.name}
PASS ${password}
STAT
LIST
UIDL 1
TOP 1 10
RETR 1
DELE 1
RSET
NOOP
QUIT`;

const http = `GET / HTTP/1.1
Host: localhost

POST /x?y=%00 HTTP/1.1
Host: localhost
Content-Length: 5
Expect: 100-continue

hello
GET /%2e%2e/etc HTTP/1.1
Host: localhost
Transfer-Encoding: chunked

5
hello
0

HEAD / HTTP/1.0
`;

/** What a client of the protocol may say, message by message. */
export function conversation(protocol: Protocol, password: string): Buffer[] {
  switch (protocol) {
    case 'ldap':
      return ldap(password);
    case 'smtp':
      return lines(smtp);
    case 'submission':
      return lines(submission(password));
    case 'imap':
      return lines(imap(password));
    case 'pop3':
      return lines(pop3(password));
    case 'http':
      return lines(http);
  }
}

/** How many messages of the conversation bring a client to where it has logged in. */
export const opening: Readonly<Record<Protocol, number>> = { ldap: 1, smtp: 1, submission: 2, imap: 2, pop3: 3, http: 0 };

/** The beginning of a TLS handshake as an ordinary client sends it. */
export const clientHello = Buffer.from(
  '16030100a5010000a10303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece700000612130113021303c02f' +
    '010000620000000e000c0000096c6f63616c686f7374000a00040002001d000d00140012040308040401050308050501080606010201' +
    '003300260024001d0020358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254002d00020101002b0003020304',
  'hex',
);
