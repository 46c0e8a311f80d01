# Net::LDAP as a client: ldaps, search, add, modify, moddn, compare, delete, schema. Prints one word per step that went well.
use strict; use warnings;
use Net::LDAP; use Net::LDAP::Util qw(ldap_error_name); use Net::LDAP::Control::Paged; use Net::LDAP::Constant qw(LDAP_CONTROL_PAGED);
my ($url, $dn, $password, $base) = @ARGV;
my $ldap = Net::LDAP->new($url, verify => 'none') or die "connect: $@";
sub ok { my ($name, $result) = @_; die "$name: " . $result->error . ' ' . ldap_error_name($result) if $result->code; print "$name\n" }
ok('bind', $ldap->bind($dn, password => $password));
my $entry = "mail=perl\@example.test,$base";
ok('add', $ldap->add($entry, attrs => [objectClass => ['inetOrgPerson', 'mtMailUser'], mail => 'perl@example.test', cn => 'Perl', sn => 'P']));
ok('modify', $ldap->modify($entry, changes => [add => [description => ['a', 'b']], replace => [cn => 'Q'], delete => [description => ['a']]]));
my $found = $ldap->search(base => $base, scope => 'one', filter => '(&(mail=perl*)(!(cn=Perl))(|(description=B)(description=zzz)))');
ok('search', $found);
die 'not one entry' unless $found->count == 1 && $found->entry(0)->get_value('cn') eq 'Q';
my $compare = $ldap->compare($entry, attr => 'cn', value => 'q');
die 'compare: ' . ldap_error_name($compare) unless ldap_error_name($compare) eq 'LDAP_COMPARE_TRUE';
ok('moddn', $ldap->moddn($entry, newrdn => 'mail=perl2@example.test', deleteoldrdn => 1));
ok('delete', $ldap->delete("mail=perl2\@example.test,$base"));
my $missing = $ldap->delete("mail=perl2\@example.test,$base");
die 'deleted twice' unless ldap_error_name($missing) eq 'LDAP_NO_SUCH_OBJECT';
my $page = Net::LDAP::Control::Paged->new(size => 1);
my $count = 0;
for (;;) {
  my $part = $ldap->search(base => $base, filter => '(objectClass=mtMailUser)', control => [$page]);
  die 'page: ' . $part->error if $part->code;
  $count += $part->entries;
  my ($answer) = $part->control(LDAP_CONTROL_PAGED) or last;
  my $cookie = $answer->cookie or last;
  last unless length $cookie;
  $page->cookie($cookie);
}
print "paged $count\n";
my $schema = $ldap->schema or die 'no schema';
die 'no class' unless $schema->objectclass('mtMailUser') && $schema->attribute('mail');
print "schema\n";
my $dse = $ldap->root_dse or die 'no root DSE';
die 'no StartTLS' unless $dse->supported_extension('1.3.6.1.4.1.1466.20037');
print "root\n";
ok('unbind', $ldap->unbind);
