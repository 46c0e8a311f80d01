"""python-ldap as a client: StartTLS, search, paged results, add, modify, compare, rename, delete. Prints what it saw as JSON."""
import json, ldap, ldap.modlist, sys
from ldap.controls import SimplePagedResultsControl

url, dn, password, base = sys.argv[1:5]
ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER)
ldap.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
con = ldap.initialize(url)
con.protocol_version = 3
con.start_tls_s()
con.simple_bind_s(dn, password)
seen = {'whoami': con.whoami_s()}

entry = {'objectClass': [b'inetOrgPerson', b'mtMailUser'], 'mail': [b'py@example.test'], 'cn': ['Grüße'.encode()], 'sn': [b'Py'], 'userPassword': [b'py-password']}
new = 'mail=py@example.test,' + base
con.add_s(new, ldap.modlist.addModlist(entry))
con.modify_s(new, [(ldap.MOD_ADD, 'description', [b'one', b'two']), (ldap.MOD_DELETE, 'description', [b'one'])])
seen['compare'] = [con.compare_s(new, 'cn', 'GRÜSSE'.encode()), con.compare_s(new, 'description', b'one')]
con.rename_s(new, 'mail=py2@example.test', delold=1)
renamed = 'mail=py2@example.test,' + base
seen['renamed'] = {k: [v.decode() for v in vs] for k, vs in con.search_s(renamed, ldap.SCOPE_BASE, attrlist=['mail', 'description'])[0][1].items()}
con.passwd_s(renamed, None, 'py-new-password')
ldap.initialize(url).simple_bind_s(renamed, 'py-new-password')
con.delete_s(renamed)
try:
    con.search_s(renamed, ldap.SCOPE_BASE)
    seen['gone'] = False
except ldap.NO_SUCH_OBJECT as error:
    seen['gone'] = error.args[0]['matched'].lower() == base
pages, cookie = 0, ''
total = 0
while True:
    control = SimplePagedResultsControl(True, size=2, cookie=cookie)
    message = con.search_ext(base, ldap.SCOPE_SUBTREE, '(objectClass=mtMailUser)', ['mail'], serverctrls=[control])
    _, data, _, controls = con.result3(message)
    total += len(data)
    pages += 1
    cookie = [c.cookie for c in controls if c.controlType == SimplePagedResultsControl.controlType][0]
    if not cookie:
        break
seen['paged'] = [total, pages]
subentry = con.search_subschemasubentry_s('')
from ldap.schema import SubSchema
schema = SubSchema(con.read_subschemasubentry_s(subentry))
seen['sup'] = list(schema.get_obj(ldap.schema.ObjectClass, 'inetOrgPerson').sup)
seen['broken'] = [str(e) for e in schema.non_unique_oids]
print(json.dumps(seen))
