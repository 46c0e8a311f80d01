#!/usr/bin/env bash
# The interoperability suite: real clients and servers from Debian's packages, third-party messages from ../shared/data.
# Installs the packages it needs when it may (root); says what is missing and fails when it cannot.
set -uo pipefail
cd "$(dirname "$0")/../.."

# Postfix, Dovecot, slapd and the name servers live there, and not everybody's path has it.
PATH=$PATH:/usr/sbin:/sbin
export PATH MAILTREE_TEST_DATA=${MAILTREE_TEST_DATA:-../shared/data}
packages=(ldap-utils libsasl2-modules swaks isync fetchmail mutt curl openssl strace util-linux bsdutils procps python3 python3-ldap libnet-ldap-perl libio-socket-ssl-perl libio-socket-inet6-perl
  libnet-ssleay-perl slapd postfix dovecot-core dovecot-lmtpd dovecot-imapd dovecot-pop3d ca-certificates
  python3-dkim python3-spf python3-authres python3-dnspython python3-nacl opendkim opendkim-tools
  bind9 bind9-utils bind9-dnsutils unbound iproute2
  macutils uudeview sharutils mpack unar libgnutls-dane0 libdb5.3 libnsl2 libidn12 libidn2-0 libpcre2-8-0 libfaketime python3-flufl.bounce python3-prometheus-client)
programs=(ldapsearch ldapmodify ldapadd ldapwhoami ldapexop swaks mbsync fetchmail mutt curl openssl strace script slapd slaptest postfix dovecot
  opendkim opendkim-testmsg binhex hexbin uudeview uudecode munpack unar named dnssec-keygen dnssec-signzone dig unbound ip /usr/bin/python3 perl)

missing() {
  for program in "${programs[@]}"; do command -v "$program" >/dev/null || echo "$program"; done
  /usr/bin/python3 -c 'import ldap' 2>/dev/null || echo python3-ldap
  /usr/bin/python3 -c 'import dkim, spf, authres, dns.resolver, nacl' 2>/dev/null || echo python3-dkim python3-spf python3-authres python3-dnspython python3-nacl
  /usr/bin/python3 -c 'import flufl.bounce' 2>/dev/null || echo python3-flufl.bounce
  /usr/bin/python3 -c 'import prometheus_client.parser' 2>/dev/null || echo python3-prometheus-client
  compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || echo libfaketime
  compgen -G '/usr/lib/*/sasl2/libplain.so*' >/dev/null || echo libsasl2-modules
  perl -MNet::LDAP -MIO::Socket::SSL -MNet::SSLeay -MIO::Socket::INET6 -e 1 2>/dev/null || echo libnet-ldap-perl libio-socket-ssl-perl libio-socket-inet6-perl
  ./test/interop/exim.sh >/dev/null 2>&1 || echo exim4-daemon-light
}

if [ -n "$(missing)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null 2>&1
  # No service of these packages shall start: the tests run their own, on loopback, in private directories.
  RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1
fi
lacking=$(missing)
if [ -n "$lacking" ]; then
  echo "interoperability suite: these programs are missing:" $lacking >&2
  echo "on Debian: apt-get install ${packages[*]}" >&2
  exit 1
fi
if [ ! -d "$MAILTREE_TEST_DATA" ]; then
  echo "interoperability suite: no test data at $MAILTREE_TEST_DATA (set MAILTREE_TEST_DATA)" >&2
  exit 1
fi

NODE_OPTIONS='--experimental-vm-modules --no-warnings' exec npx jest --selectProjects interop --runInBand --forceExit "$@"
