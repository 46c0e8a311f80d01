# Net::LDAP does what every client of the LDAP matrix does. Prints what it saw as JSON.
use strict; use warnings; use utf8;
use Encode qw(encode decode); use JSON::PP;
use Net::LDAP; use Net::LDAP::Extension::SetPassword; use Net::LDAP::Extension::WhoAmI;
use Net::LDAP::Control::Paged; use Net::LDAP::Constant qw(LDAP_CONTROL_PAGED LDAP_COMPARE_TRUE LDAP_COMPARE_FALSE);
my ($transport, $url, $dn, $password, $base, $name) = @ARGV;
sub done { my ($result) = @_; die $result->code . ' ' . $result->error if $result->code; return $result }
sub login {
  my ($who, $secret) = @_;
  my $ldap = Net::LDAP->new($url, verify => 'none') or die "connect: $@";
  done($ldap->start_tls(verify => 'none')) if $transport eq 'StartTLS';
  return ($ldap, $ldap->bind($who, password => $secret)->code);
}
sub values_of {
  my ($ldap, $entry, $attribute) = @_;
  return [map { decode('UTF-8', $_) } done($ldap->search(base => $entry, scope => 'base', filter => '(objectClass=*)', attrs => [$attribute]))->entry(0)->get_value($attribute)];
}
sub compared {
  my $code = shift->code;
  die $code unless $code == LDAP_COMPARE_TRUE || $code == LDAP_COMPARE_FALSE;
  return $code == LDAP_COMPARE_TRUE ? JSON::PP::true : JSON::PP::false;
}
my %seen;
(undef, $seen{refused}) = login("cn=$name,$base", 'wrong');
my ($ldap, $code) = login($dn, $password);
die $code if $code;
$seen{who} = done($ldap->who_am_i)->response;
$seen{found} = [map { $_->get_value('cn') } done($ldap->search(base => $base, filter => '(&(mail=user1@example.test)(objectClass=inetOrgPerson))', attrs => ['cn']))->entries];
my $page = Net::LDAP::Control::Paged->new(size => 2);
$seen{paged} = 0;
for (;;) {
  my $part = done($ldap->search(base => $base, filter => '(&(objectClass=mtMailUser)(mail=user*))', attrs => ['1.1'], control => [$page]));
  $seen{paged} += $part->entries;
  my ($answer) = $part->control(LDAP_CONTROL_PAGED) or last;
  my $cookie = $answer->cookie or last;
  last unless length $cookie;
  $page->cookie($cookie);
}
my $entry = "mail=$name\@example.test,$base";
my $renamed = "mail=${name}2\@example.test,$base";
my @new = ($entry, attrs => [objectClass => ['inetOrgPerson', 'mtMailUser'], mail => "$name\@example.test", cn => encode('UTF-8', 'Grüße'), sn => 'Matrix']);
done($ldap->add(@new));
$seen{addedTwice} = $ldap->add(@new)->code;
done($ldap->modify($entry, changes => [add => [description => ['one', 'two']], delete => [description => ['one']], replace => [sn => 'Changed']]));
$seen{modified} = { map { $_ => values_of($ldap, $entry, $_) } 'description', 'sn' };
$seen{compared} = [compared($ldap->compare($entry, attr => 'cn', value => encode('UTF-8', 'GRÜSSE'))), compared($ldap->compare($entry, attr => 'sn', value => 'Matrix'))];
done($ldap->moddn($entry, newrdn => "mail=${name}2\@example.test", deleteoldrdn => 1));
$seen{renamed} = values_of($ldap, $renamed, 'mail');
done($ldap->set_password(user => $renamed, newpasswd => 'first-password-1'));
done($ldap->set_password(user => $renamed, oldpasswd => 'first-password-1', newpasswd => 'second-password-2'));
$seen{changed} = [map { my (undef, $result) = login($renamed, $_); $result } 'second-password-2', 'first-password-1'];
done($ldap->delete($renamed));
$seen{gone} = $ldap->search(base => $renamed, scope => 'base', filter => '(objectClass=*)')->code;
$ldap->unbind;
print encode_json(\%seen);
