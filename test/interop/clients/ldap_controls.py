"""python-ldap with the controls it knows: assertion, pre-read, post-read, sorting, subtree delete; SASL PLAIN. Prints what it saw as JSON."""
import json, ldap, ldap.modlist, ldap.sasl, sys
from ldap.controls import LDAPControl
from ldap.controls.libldap import AssertionControl
from ldap.controls.readentry import PreReadControl, PostReadControl
from ldap.controls.sss import SSSRequestControl, SSSResponseControl

url, dn, password, base, user, user_password = sys.argv[1:7]
ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER)
ldap.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
con = ldap.initialize(url)
con.simple_bind_s(dn, password)
seen = {}


def add(name, **attributes):
    con.add_s(name, ldap.modlist.addModlist({key: [value.encode()] for key, value in attributes.items()}))


def code(call, *args, **more):
    try:
        call(*args, **more)
        return 0
    except ldap.LDAPError as error:
        return error.args[0]['result']


top = 'cn=python,' + base
add(top, objectClass='applicationProcess', cn='python')
for name in 'abc':
    add('cn=%s,%s' % (name, top), objectClass='person', cn=name, sn='x' + chr(ord('d') - ord(name) + ord('a')))

pre, post = PreReadControl(True, ['sn']), PostReadControl(True, ['sn', 'modifiersName'])
message = con.modify_ext('cn=a,' + top, [(ldap.MOD_REPLACE, 'sn', [b'changed'])], serverctrls=[pre, post, AssertionControl(True, '(sn=x*)')])
_, _, _, controls = con.result3(message)
seen['read'] = [{key: [value.decode() for value in values] for key, values in control.entry.items()} for control in controls]
seen['asserted'] = code(con.modify_ext_s, 'cn=a,' + top, [(ldap.MOD_REPLACE, 'sn', [b'again'])], serverctrls=[AssertionControl(True, '(sn=x*)')])


def ordered(*keys):
    message = con.search_ext(top, ldap.SCOPE_ONELEVEL, '(sn=*)', ['1.1'], serverctrls=[SSSRequestControl(True, list(keys))])
    _, data, _, controls = con.result3(message)
    return [[name.split(',')[0] for name, _ in data], [control.result for control in controls if control.controlType == SSSResponseControl.controlType]]


seen['sorted'] = [ordered('cn'), ordered('-cn'), ordered('sn:2.5.13.3')]
seen['unsorted'] = code(ordered, 'nonsense')
seen['leaf'] = code(con.delete_s, top)
seen['tree'] = code(con.delete_ext_s, top, serverctrls=[LDAPControl('1.2.840.113556.1.4.805', True)])
seen['gone'] = code(con.search_s, top, ldap.SCOPE_BASE)

plain = ldap.initialize(url)
plain.sasl_interactive_bind_s('', ldap.sasl.sasl({ldap.sasl.CB_AUTHNAME: user, ldap.sasl.CB_PASS: user_password, ldap.sasl.CB_USER: ''}, 'PLAIN'))
seen['plain'] = plain.whoami_s()
print(json.dumps(seen))
