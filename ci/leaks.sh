#!/usr/bin/env bash
# Runs a command and fails if System V objects of this namespace stay behind that were not there before.
# Usage: ci/leaks.sh COMMAND [ARGUMENT ...]
set -euo pipefail
ids() { awk 'NR > 1 { print FILENAME ":" $2 }' /proc/sysvipc/shm /proc/sysvipc/sem | sort; }
before=$(ids)
status=0
"$@" || status=$?
left=$(comm -13 <(printf '%s\n' "$before") <(ids))
if [ -n "$left" ]; then
    printf 'left behind:\n%s\n' "$left" >&2
    [ "$status" -ne 0 ] || status=1
fi
exit "$status"
