#!/usr/bin/env bash
# Runs a command and fails if System V objects of this namespace stay behind that were not there before. Semaphores whose ring is
# gone may: a child that is killed last, with a mapping that it inherited from a test in another thread, leaves them to `ringpipe gc`.
# Usage: ci/leaks.sh COMMAND [ARGUMENT ...]
set -euo pipefail
ids() { awk 'NR > 1 { print FILENAME ":" $2 }' /proc/sysvipc/shm /proc/sysvipc/sem | sort; }
before=$(ids)
status=0
"$@" || status=$?
cargo run --quiet -- gc
left=$(comm -13 <(printf '%s\n' "$before") <(ids))
if [ -n "$left" ]; then
    printf 'left behind:\n%s\n' "$left" >&2
    [ "$status" -ne 0 ] || status=1
fi
exit "$status"
