#!/usr/bin/env bash
# Exim beside Debian's Postfix, whose package it conflicts with: unpacked into a directory of its own, not installed. Prints the program's path.
set -euo pipefail
dir=${MAILTREE_EXIM_DIR:-/var/cache/mailtree-interop/exim}
program=$dir/usr/sbin/exim4
if [ ! -x "$program" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  chmod 755 "$work"
  (cd "$work" && apt-get download -qq exim4-daemon-light) >/dev/null 2>&1
  mkdir -p "$dir"
  dpkg-deb -x "$work"/exim4-daemon-light_*.deb "$dir"
  # Nobody but the tests shall run it, and they are root.
  chmod u-s "$program"
fi
# The name of the user it gives up root's rights for is built in.
getent passwd Debian-exim >/dev/null || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin Debian-exim
"$program" -C /dev/null -bV >/dev/null 2>&1 || { echo "exim does not run: is a library missing?" >&2; exit 1; }
echo "$program"
