#!/bin/bash
# Installs the Debian packages that the tests need and that are missing. Without root it only says which.
set -euo pipefail
declare -A packages=(
  [mariadbd]=mariadb-server-core [mariadb]=mariadb-client-core [mariadb-install-db]=mariadb-server-core
  [redis-server]=redis-server [node]=nodejs [npm]=npm [javac]=default-jdk-headless [git]=git
)
missing=()
for program in "${!packages[@]}"; do
  PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || missing+=("${packages[$program]}")
done
[ -e /usr/lib/mysql/plugin/metadata_lock_info.so ] || missing+=(mariadb-server)
/usr/bin/python3 -c 'import pymysql' 2>/dev/null || missing+=(python3 python3-pymysql)
[ -e /usr/share/java/mariadb-java-client.jar ] || missing+=(libmariadb-java)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ]; then
  echo "missing Debian packages: ${missing[*]}" >&2
  [ "${CI:-}" = true ] && exit 1
  exit 0
fi
# Package scripts must start no daemon: the tests start their own.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
