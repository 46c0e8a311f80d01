# Net::LDAP with the controls it knows: assertion, pre-read, post-read, sorting, subtree delete. Prints what it saw as JSON.
use strict; use warnings; use JSON::PP;
use Net::LDAP;
use Net::LDAP::Control::Assertion; use Net::LDAP::Control::PreRead; use Net::LDAP::Control::PostRead;
use Net::LDAP::Control::Sort; use Net::LDAP::Control::TreeDelete; use Net::LDAP::Control::ManageDsaIT;
use Net::LDAP::Constant qw(LDAP_CONTROL_PREREAD LDAP_CONTROL_POSTREAD LDAP_CONTROL_SORTRESULT);
my ($url, $dn, $password, $base) = @ARGV;
sub done { my ($result) = @_; die $result->code . ' ' . $result->error if $result->code; return $result }
my $ldap = Net::LDAP->new($url, verify => 'none') or die "connect: $@";
done($ldap->bind($dn, password => $password));
my %seen;
my $top = "cn=perl,$base";
done($ldap->add($top, attrs => [objectClass => 'applicationProcess', cn => 'perl']));
done($ldap->add("cn=$_,$top", attrs => [objectClass => 'person', cn => $_, sn => "x$_"])) for qw(b c a);
my $answer = done($ldap->modify("cn=a,$top", replace => { sn => 'changed' }, control => [
  Net::LDAP::Control::PreRead->new(critical => 1, attrs => ['sn']),
  Net::LDAP::Control::PostRead->new(critical => 1, attrs => ['sn']),
  Net::LDAP::Control::Assertion->new(critical => 1, assertion => '(sn=xa)'),
  Net::LDAP::Control::ManageDsaIT->new(critical => 1),
]));
my ($pre) = $answer->control(LDAP_CONTROL_PREREAD);
my ($post) = $answer->control(LDAP_CONTROL_POSTREAD);
$seen{read} = [map { $_->entry->get_value('sn') } $pre, $post];
$seen{asserted} = $ldap->modify("cn=a,$top", replace => { sn => 'again' }, control => [Net::LDAP::Control::Assertion->new(critical => 1, assertion => '(sn=xa)')])->code;
for my $order ('cn', '-cn', 'nonsense') {
  my $found = $ldap->search(base => $top, scope => 'one', filter => '(sn=*)', attrs => ['cn'], control => [Net::LDAP::Control::Sort->new(order => $order)]);
  my ($sorted) = $found->control(LDAP_CONTROL_SORTRESULT);
  push @{$seen{sorted}}, [join('', map { $_->get_value('cn') } $found->entries), $sorted->result + 0];
}
$seen{tree} = $ldap->delete($top, control => [Net::LDAP::Control::TreeDelete->new(critical => 1)])->code;
$seen{gone} = $ldap->search(base => $top, scope => 'base', filter => '(objectClass=*)')->code;
print encode_json(\%seen);
