#!/bin/bash
# slowest.sh go test …: runs tests, shows each one when it is done, what failed ones say, and at last those that took
# longest. Where tests run side by side, their seconds are more than went by.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
"$1" "$2" -v "${@:3}" 2>&1 | tee "$log" | grep --line-buffered -E '^(--- |ok|FAIL|panic|\?)' || status=1
if grep -qE '^(FAIL|panic)' "$log"; then
  status=1
  echo "--- what failed:"
  grep -vE '^=== (RUN|PAUSE|CONT)|^ *--- PASS' "$log"
fi
echo "--- the slowest, with subtests:"
grep -E '^ *--- (PASS|FAIL): ' "$log" | sed -E 's/^ *--- (PASS|FAIL): (.*) \(([0-9.]+)s\)$/\3 s  \2/' | sort -rn | sed "${SLOWEST:-15}q" || true
exit "$status"
