#!/usr/bin/env bash
# Prints which tests answer to which case of the design's catalogues (F faults, H hard cases, I invariants, A attacks),
# by the ids that begin the tests' names. docs/TESTING.md keeps the output; `make catalogue` rewrites that part of it.
set -euo pipefail
cd "$(dirname "$0")/.."

git ls-files -co --exclude-standard '*.rs' | xargs grep -noE 'fn ([fhia][0-9]{2,3}_)+[a-z0-9_]+' |
  awk -F: '{
    name = substr($3, 4); file = $1; rest = name
    while (match(rest, /^[fhia][0-9]+_/)) {
      id = substr(rest, 1, RLENGTH - 1); rest = substr(rest, RLENGTH + 1)
      letter = toupper(substr(id, 1, 1)); number = substr(id, 2) + 0
      printf((letter == "H" ? "%s%03d" : "%s%02d") "\t%s\t%s\n", letter, number, name, file)
    }
  }' | sort -u | awk -F'\t' '{ printf "| %s | `%s` | %s |\n", $1, $2, $3 }'
