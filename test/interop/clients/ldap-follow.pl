# Net::LDAP as a follower: persistent search with change notifications, and synchronisation. Prints what it is told.
use strict; use warnings;
use Net::LDAP; use Net::LDAP::Control::PersistentSearch; use Net::LDAP::Control::SyncRequest;
my ($url, $dn, $password, $base) = @ARGV;
my $ldap = Net::LDAP->new($url) or die "connect: $@";
my $writer = Net::LDAP->new($url) or die "connect: $@";
for ($ldap, $writer) { my $bound = $_->bind($dn, password => $password); die $bound->error if $bound->code }
sub wrote { my $result = shift; die $result->error if $result->code }

my $told = 0;
my $persist = Net::LDAP::Control::PersistentSearch->new(changeTypes => 15, changesOnly => 1, returnECs => 1);
$ldap->async(1);
my $search = $ldap->search(base => $base, filter => '(objectClass=device)', control => [$persist], callback => sub {
  my ($message, $entry) = @_;
  return unless $entry && $entry->isa('Net::LDAP::Entry');
  my ($change) = grep { $_->isa('Net::LDAP::Control::EntryChange') } $message->control;
  print 'persistent ', $entry->dn, ' ', $change->changeType, ' ', $change->previousDN || '-', "\n";
  $message->pop_entry;
  $told++;
});
# Something that is answered later: then the search has begun.
$ldap->sync($ldap->compare($base, attr => 'dc', value => 'x'));
wrote($writer->add("cn=pl,$base", attrs => [objectClass => 'device', cn => 'pl']));
wrote($writer->modify("cn=pl,$base", replace => { description => 'x' }));
wrote($writer->moddn("cn=pl,$base", newrdn => 'cn=lp', deleteoldrdn => 1));
wrote($writer->delete("cn=lp,$base"));
$ldap->process while $told < 4;
$ldap->abandon($search);

my $sync = Net::LDAP::Control::SyncRequest->new(mode => 1);
my $count = 0;
my $refresh = $writer->search(base => $base, filter => '(objectClass=*)', attrs => ['1.1'], control => [$sync], callback => sub {
  my ($message, $entry, @controls) = @_;
  $count++ if $entry && $entry->isa('Net::LDAP::Entry');
});
die $refresh->error if $refresh->code;
my ($done) = grep { $_->isa('Net::LDAP::Control::SyncDone') } $refresh->control;
print 'synchronised ', ($count > 3 ? 'all' : $count), ' ', ($done->cookie =~ /^csn=/ ? 'cookie' : 'no cookie'), "\n";
$_->unbind for $ldap, $writer;
