#!/bin/bash
# fuzz.sh TIME: runs every fuzz target of the module for TIME each.
set -euo pipefail
ran=0
for package in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$package"
    ran=$((ran + 1))
  done
done
[ "$ran" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
echo "$ran fuzz targets ran for $1 each"
