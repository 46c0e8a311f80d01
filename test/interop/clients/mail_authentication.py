"""Others' mail authentication on the command line: dkimpy, pyspf and authres, with the DNS of the tests.

mail_authentication.py HOST:PORT verify|arc < message        -> a line for each signature: pass or fail; of the chain
mail_authentication.py HOST:PORT sign|seal JSON < message    -> the message, signed or sealed
mail_authentication.py HOST:PORT spf < JSON list             -> JSON list of results
mail_authentication.py HOST:PORT results < a field           -> JSON: authserv-id, results
"""

import json
import sys

import dns.resolver

host, port = sys.argv[1].rsplit(":", 1)
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = [host]
resolver.port = int(port)
resolver.lifetime = 10
nothing = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


def answers(name, kind):
    try:
        return list(resolver.resolve(name, kind, raise_on_no_answer=True))
    except nothing:
        return []


def txt(name, timeout=5):
    text = name.decode() if isinstance(name, bytes) else name
    found = answers(text.rstrip("."), "TXT")
    return b"".join(found[0].strings) if found else None


def verify(message):
    import dkim

    signatures = [value for name, value in dkim.rfc822_parse(message)[0] if name.lower() == b"dkim-signature"]
    for index in range(len(signatures)):
        print("pass" if dkim.DKIM(message).verify(idx=index, dnsfunc=txt) else "fail")


def arc(message):
    import dkim

    state, _, reason = dkim.arc_verify(message, dnsfunc=txt)
    print(state.decode() if isinstance(state, bytes) else state)


def sign(message):
    import dkim

    for one in json.loads(sys.argv[3]):
        field = dkim.sign(
            message,
            one["selector"].encode(),
            one["domain"].encode(),
            one["key"].encode(),
            canonicalize=tuple(one["form"].encode().split(b"/")),
            signature_algorithm=one["algorithm"].encode(),
            length=one.get("length", False),
        )
        message = field + message
    sys.stdout.buffer.write(message)


def seal(message):
    import dkim

    for one in json.loads(sys.argv[3]):
        # What the sealer has found out itself: dkimpy takes the state of the chain from there.
        message = one["results"].encode() + b"\r\n" + message
        fields = dkim.arc_sign(message, one["selector"].encode(), one["domain"].encode(), one["key"].encode(), one["host"].encode())
        message = b"".join(fields) + message
    sys.stdout.buffer.write(message)


def spf_results(questions):
    import ipaddress

    import spf

    def lookup(name, kind, tcpfallback=True, timeout=30):
        found = []
        for record in answers(str(name).rstrip("."), kind):
            if kind in ("TXT", "SPF"):
                found.append(((name, kind), tuple(record.strings)))
            elif kind == "MX":
                found.append(((name, kind), (record.preference, record.exchange.to_text(True))))
            elif kind == "AAAA":
                found.append(((name, kind), ipaddress.IPv6Address(record.address)))
            elif kind == "PTR":
                found.append(((name, kind), record.target.to_text(True)))
            else:
                found.append(((name, kind), record.address))
        return found

    spf.DNSLookup = lookup
    print(json.dumps([spf.check2(address, sender, helo)[0] for address, sender, helo in questions]))


def results(text):
    import authres

    field = authres.AuthenticationResultsHeader.parse(text)
    print(json.dumps({"id": field.authserv_id, "results": [[one.method, one.result] for one in field.results]}))


def main():
    given = sys.stdin.buffer.read()
    what = sys.argv[2]
    if what == "spf":
        spf_results(json.loads(given))
    elif what == "results":
        results(given.decode())
    else:
        {"verify": verify, "arc": arc, "sign": sign, "seal": seal}[what](given)


main()
