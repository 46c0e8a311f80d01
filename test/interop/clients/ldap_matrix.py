"""python-ldap does what every client of the LDAP matrix does. Prints what it saw as JSON."""
import json, ldap, ldap.modlist, sys
from ldap.controls import SimplePagedResultsControl

transport, url, dn, password, base, name = sys.argv[1:7]
ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER)
ldap.set_option(ldap.OPT_X_TLS_NEWCTX, 0)


def login(dn, password):
    con = ldap.initialize(url)
    con.protocol_version = 3
    if transport == 'StartTLS':
        con.start_tls_s()
    con.simple_bind_s(dn, password)
    return con


def code(call, *args):
    try:
        call(*args)
        return 0
    except ldap.LDAPError as error:
        return error.args[0]['result']


def values(con, dn, attribute):
    return [value.decode() for value in con.search_s(dn, ldap.SCOPE_BASE, attrlist=[attribute])[0][1][attribute]]


seen = {'refused': code(login, 'cn=%s,%s' % (name, base), 'wrong')}
con = login(dn, password)
seen['who'] = con.whoami_s()
found = con.search_s(base, ldap.SCOPE_SUBTREE, '(&(mail=user1@example.test)(objectClass=inetOrgPerson))', ['cn'])
seen['found'] = [value.decode() for _, entry in found for value in entry['cn']]
seen['paged'], cookie = 0, ''
while True:
    control = SimplePagedResultsControl(True, size=2, cookie=cookie)
    message = con.search_ext(base, ldap.SCOPE_SUBTREE, '(&(objectClass=mtMailUser)(mail=user*))', ['1.1'], serverctrls=[control])
    _, data, _, controls = con.result3(message)
    seen['paged'] += len(data)
    cookie = [c.cookie for c in controls if c.controlType == SimplePagedResultsControl.controlType][0]
    if not cookie:
        break
entry = 'mail=%s@example.test,%s' % (name, base)
renamed = 'mail=%s2@example.test,%s' % (name, base)
attributes = ldap.modlist.addModlist({'objectClass': [b'inetOrgPerson', b'mtMailUser'], 'mail': [('%s@example.test' % name).encode()],
                                      'cn': ['Grüße'.encode()], 'sn': [b'Matrix']})
con.add_s(entry, attributes)
seen['addedTwice'] = code(con.add_s, entry, attributes)
con.modify_s(entry, [(ldap.MOD_ADD, 'description', [b'one', b'two']), (ldap.MOD_DELETE, 'description', [b'one']), (ldap.MOD_REPLACE, 'sn', [b'Changed'])])
seen['modified'] = {'description': values(con, entry, 'description'), 'sn': values(con, entry, 'sn')}
seen['compared'] = [con.compare_s(entry, 'cn', 'GRÜSSE'.encode()), con.compare_s(entry, 'sn', b'Matrix')]
con.rename_s(entry, 'mail=%s2@example.test' % name, delold=1)
seen['renamed'] = values(con, renamed, 'mail')
con.passwd_s(renamed, None, 'first-password-1')
con.passwd_s(renamed, 'first-password-1', 'second-password-2')
seen['changed'] = [code(login, renamed, 'second-password-2'), code(login, renamed, 'first-password-1')]
con.delete_s(renamed)
seen['gone'] = code(con.search_s, renamed, ldap.SCOPE_BASE)
con.unbind_s()
print(json.dumps(seen))
