# What Net::LDAP::LDIF reads in FILE, as JSON: for each record its name, changetype, and attributes with values in base64.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Net::LDAP::LDIF;

my $ldif = Net::LDAP::LDIF->new($ARGV[0], 'r', onerror => 'die', raw => qr/./);
my @records;
while (!$ldif->eof()) {
    my $entry = $ldif->read_entry() or last;
    my $type = $entry->changetype;
    my %attributes;
    if ($type eq 'add') {
        for my $name ($entry->attributes) {
            $attributes{lc $name} = [map { encode_base64($_, '') } $entry->get_value($name)];
        }
    }
    push @records, { dn => encode_base64($entry->dn, ''), type => $type, attributes => \%attributes };
}
print JSON::PP->new->canonical->encode(\@records);
