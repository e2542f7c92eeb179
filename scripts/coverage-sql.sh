#!/bin/bash
# coverage-sql.sh: what share of the statements of MariaDB's own test suite is read and decided. The suite comes
# from Debian's mariadb-test-data, which is installed when missing; the table goes to docs/coverage.md.
# SAMPLE=n takes every n-th statement and leaves the docs alone; REFUSED=file lists what is not read.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=/usr/share/mysql/mysql-test
if [ ! -d "$suite/main" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "missing Debian package: mariadb-test-data" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends mariadb-test-data
fi
table=$(mktemp)
trap 'rm -f "$table"' EXIT
CI=true SLUICE_COVERAGE=$suite SLUICE_COVERAGE_SAMPLE=${SAMPLE:-} SLUICE_COVERAGE_TABLE=$table SLUICE_COVERAGE_REFUSED=${REFUSED:-} \
  go test -count=1 -timeout 60m -run '^TestCoverage$' -v ./integration
[ -n "${SAMPLE:-}" ] && exit 0
version=$(dpkg-query -W -f '${Version}' mariadb-test-data)
{
  cat <<TEXT
# What share of SQL is read

\`make coverage-sql\` takes the distinct statements of MariaDB's own test suite (Debian's mariadb-test-data $version),
keeps those that a MariaDB accepts under the settings of their script (it prepares them and runs none), and decides each as a
gateway does: parse, resolve, trace, decide, in a project that has nothing to do with the protected one. \`SAMPLE=20 make
coverage-sql\` is a quick form.

*Permitted* is the number that counts. *Refused by policy*: it was read, and touches what Sluice keeps in while any project is
protected: logs and other sessions' data, server files, tables outside of the warehouse (docs/channels.md). *Not read*: refused
because it is not understood. The goals, which the test holds: 99.5 % of the statements about rows and 98.5 % of all are permitted. What is
missing for rows are the texts, values and samples that the statements at the end of this page ask for.

What the server accepts is asked of it, and so is what stands in it:

- A statement stands at a place of a script, where the files that the script sources stand too, in the current schema and under the
  settings of its connection. What counts is the newest definition of each name before that place, if the server accepts it; DROP is
  not followed.
- Not accepted is what is wrong whatever stands in the warehouse: its grammar does not know it (errors 1064, 1065, 1149), a name is
  too long or empty (1059, 1102, 1103), a function of its own gets parameters that it does not take (1582, 1583), root may not, who
  has every privilege (1044, 1142: writing into information_schema or performance_schema), a table of information_schema or
  performance_schema that neither the server nor a plugin of its package has (1109, 1146 there). Tables, columns and routines that are missing are no
  such fault: scripts make them.
- A table whose engine the server does not have (SHOW ENGINES of a server as it starts by itself) cannot stand under
  NO_ENGINE_SUBSTITUTION, and has the server's own engine without it; a loadable function cannot without its library. Statements that
  touch such a table, or call a function that neither the server nor the script before has (1305, 1630), are not counted; a row of the table tells how many.
- Statements that no file holds, as a sourced file puts them together from a script's variables, stand in a row of their own: most
  of what is refused there waits until the process list shows a text.

TEXT
  cat "$table"
} >docs/coverage.md
