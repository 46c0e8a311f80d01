"""python-ldap's consumer of content synchronisation. Keeps a copy; prints it as JSON when the entry `cn=end` appears, then once more by a poll with its cookie."""
import json, sys
import ldap
from ldap.ldapobject import SimpleLDAPObject
from ldap.syncrepl import SyncreplConsumer

url, dn, password, base = sys.argv[1:5]


class Consumer(SimpleLDAPObject, SyncreplConsumer):
    def __init__(self, *args):
        SimpleLDAPObject.__init__(self, *args)
        self.copy, self.seen, self.cookie, self.done, self.ended, self.counts = {}, set(), None, False, False, {'entry': 0, 'delete': 0}

    def syncrepl_get_cookie(self):
        return self.cookie

    def syncrepl_set_cookie(self, cookie):
        self.cookie = cookie

    def syncrepl_refreshdone(self):
        self.done = True
        print('refreshed', flush=True)

    def syncrepl_present(self, uuids, refreshDeletes=False):
        if uuids is not None:
            self.seen.update(uuids)
            return
        if not refreshDeletes:
            for uuid in [u for u in self.copy if u not in self.seen]:
                del self.copy[uuid]
        self.seen = set()

    def syncrepl_delete(self, uuids):
        for uuid in uuids:
            self.counts['delete'] += 1
            self.copy.pop(uuid, None)

    def syncrepl_entry(self, dn, attrs, uuid):
        self.counts['entry'] += 1
        self.copy[uuid] = dn
        if dn.startswith('cn=end,'):
            self.ended = True


def connect():
    con = Consumer(url)
    con.simple_bind_s(dn, password)
    return con


con = connect()
message = con.syncrepl_search(base, ldap.SCOPE_SUBTREE, mode='refreshAndPersist', filterstr='(objectClass=*)', attrlist=['1.1'])
while not con.ended:
    con.syncrepl_poll(msgid=message, timeout=30)
first = sorted(con.copy.values())

# The cookie is good on another connection, and what has happened since comes.
other = connect()
other.copy, other.cookie = con.copy, con.cookie
other.add_s('cn=later,' + base, [('objectClass', [b'device']), ('cn', [b'later'])])
message = other.syncrepl_search(base, ldap.SCOPE_SUBTREE, mode='refreshOnly', filterstr='(objectClass=*)', attrlist=['1.1'])
other.syncrepl_poll(msgid=message, timeout=30, all=1)
other.delete_s('cn=later,' + base)
print(json.dumps({'first': first, 'polled': other.counts, 'later': 'cn=later,' + base in other.copy.values()}))
