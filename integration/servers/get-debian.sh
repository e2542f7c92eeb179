#!/bin/bash
# get-debian.sh DIR SUITE PROGRAM PACKAGE…: unpacks packages of a Debian suite, the server sbin/PROGRAM among them, below
# DIR/root, and leaves DIR/mysqld, DIR/mysql and others beside it that run them with their own libraries. Nothing is
# installed.
set -euo pipefail
dest=$(mkdir -p "$1" && cd "$1" && pwd)
suite=$2
server=$3
shift 3
root=$dest/root
if [ ! -x "$root/usr/sbin/$server" ]; then
  mirror=${DEBIAN_MIRROR:-$({ grep -rhE '^(URIs:|deb )' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null || true; } | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')}
  mirror=${mirror%/}
  [ -n "$mirror" ] || { echo "no Debian mirror among this machine's apt sources; set DEBIAN_MIRROR" >&2; exit 1; }
  apt=$dest/apt
  mkdir -p "$apt"/etc/{apt.conf.d,preferences.d} "$apt"/state/lists/partial "$apt"/cache/archives/partial "$apt"/dpkg
  : >"$apt/dpkg/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/etc/sources.list"
  cat >"$apt/apt.conf" <<CONF
Dir::Etc "$apt/etc";
Dir::Etc::sourcelist "$apt/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$apt/state";
Dir::State::status "$apt/dpkg/status";
Dir::Cache "$apt/cache";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Debug::NoLocking "true";
CONF
  export APT_CONFIG=$apt/apt.conf
  apt-get -qq update
  apt-get -qq -y -d install "$@"
  rm -rf "$root.new"
  mkdir "$root.new"
  for deb in "$apt"/cache/archives/*.deb; do
    case $deb in */perl*|*/libperl*) continue ;; esac
    dpkg-deb -x "$deb" "$root.new"
  done
  rm -rf "$root" "$apt/cache" "$apt/state"
  mv "$root.new" "$root"
fi
for program in "sbin/$server" bin/mysql bin/mysqldump bin/mysqladmin bin/mariadb; do
  [ -e "$root/usr/$program" ] || continue
  name=$(basename "$program")
  plugins=$(find "$root/usr/lib" -name libmariadb3 -type d)
  printf '#!/bin/sh\nexport MARIADB_PLUGIN_DIR=%s/plugin LIBMYSQL_PLUGIN_DIR=%s/usr/lib/mysql/plugin\nexec %s/usr/lib64/ld-linux-x86-64.so.2 --library-path %s/usr/lib/x86_64-linux-gnu %s/usr/%s "$@"\n' \
    "$plugins" "$root" "$root" "$root" "$root" "$program" >"$dest/$name.new"
  chmod +x "$dest/$name.new"
  mv "$dest/$name.new" "$dest/$name"
done
