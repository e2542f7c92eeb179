#!/bin/bash
# get-tidb.sh DIR: builds a TiDB server from its Go module into DIR, unless it stands there. The first time takes
# five to ten minutes of processor time, at low priority; Go's cache makes another build short.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dest=$(mkdir -p "$1" && cd "$1" && pwd)
version=v1.1.0-beta.0.20251126154744-e4e814fdc0af
commit=20251126154744-e4e814fdc0af
server=$dest/tidb-server-$commit
if [ ! -x "$server" ]; then
  module=$(mktemp -d "$dest/module.XXXXXX")
  trap 'rm -rf "$module"' EXIT
  cp "$here/tidb.sum" "$module/go.sum"
  # A module of its own: the gateway's stays free of what TiDB needs. The replacements are those of TiDB's go.mod.
  cat >"$module/go.mod" <<MOD
module tidbserver

go 1.25.0

require (
	github.com/pingcap/tidb $version
	github.com/pingcap/tidb/pkg/parser v0.0.0-$commit
)

replace (
	github.com/go-ldap/ldap/v3 => github.com/YangKeao/ldap/v3 v3.4.5-0.20230421065457-369a3bab1117
	sourcegraph.com/sourcegraph/appdash => github.com/sourcegraph/appdash v0.0.0-20190731080439-ebfcffb1b5c0
	sourcegraph.com/sourcegraph/appdash-data => github.com/sourcegraph/appdash-data v0.0.0-20151005221446-73f23eafcf67
)
MOD
  cd "$module"
  GOFLAGS= GOWORK=off nice -n 10 go build -mod=mod -buildvcs=false -o server \
    -ldflags '-s -w -X github.com/pingcap/tidb/pkg/parser/mysql.TiDBReleaseVersion=v8.5.4' github.com/pingcap/tidb/cmd/tidb-server
  mv server "$server"
fi
ln -sfn "$server" "$dest/tidb-server"
