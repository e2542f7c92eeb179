#!/bin/bash
# get-mysql.sh DIR: unpacks the MySQL server and client of Debian unstable below DIR/root, and leaves
# DIR/mysqld, DIR/mysql and others beside it that run them with their own libraries. Nothing is installed.
set -euo pipefail
dest=$(mkdir -p "$1" && cd "$1" && pwd)
root=$dest/root
if [ ! -x "$root/usr/sbin/mysqld" ]; then
  mirror=${DEBIAN_MIRROR:-$({ grep -rhE '^(URIs:|deb )' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null || true; } | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')}
  mirror=${mirror%/}
  [ -n "$mirror" ] || { echo "no Debian mirror among this machine's apt sources; set DEBIAN_MIRROR" >&2; exit 1; }
  apt=$dest/apt
  mkdir -p "$apt"/etc/{apt.conf.d,preferences.d} "$apt"/state/lists/partial "$apt"/cache/archives/partial "$apt"/dpkg
  : >"$apt/dpkg/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$apt/etc/sources.list"
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
  apt-get -qq -y -d install mysql-server-core mysql-client-core
  rm -rf "$root.new"
  mkdir "$root.new"
  for deb in "$apt"/cache/archives/*.deb; do
    case $deb in */perl*|*/libperl*) continue ;; esac
    dpkg-deb -x "$deb" "$root.new"
  done
  rm -rf "$root" "$apt/cache" "$apt/state"
  mv "$root.new" "$root"
fi
for program in sbin/mysqld bin/mysql bin/mysqldump bin/mysqladmin; do
  name=$(basename "$program")
  printf '#!/bin/sh\nexport LIBMYSQL_PLUGIN_DIR=%s/usr/lib/mysql/plugin\nexec %s/usr/lib64/ld-linux-x86-64.so.2 --library-path %s/usr/lib/x86_64-linux-gnu %s/usr/%s "$@"\n' \
    "$root" "$root" "$root" "$root" "$program" >"$dest/$name.new"
  chmod +x "$dest/$name.new"
  mv "$dest/$name.new" "$dest/$name"
done
