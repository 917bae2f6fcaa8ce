#!/usr/bin/env bash
# Model-checks with one more preemption than ci/loom.sh, each model for at most an hour (RINGPIPE_DEEP_SECONDS), and says how
# each ended. For a nightly or weekly run: it takes hours. Usage: ci/loom-deep.sh [PART-OF-A-MODEL'S-NAME]
set -euo pipefail
cd "$(dirname "$0")/.."
export RUST_BACKTRACE=0
seconds=${RINGPIPE_DEEP_SECONDS:-3600}
binary=$(ci/loom-binary.sh)
failed=0 cut=0 whole=0
mapfile -t models < <("$binary" --list "$@" | sed -n 's/: test$//p')
for model in "${models[@]}"; do
    case $model in
        pair::*) bound=3 ;;
        *) bound=2 ;;
    esac
    began=$SECONDS status=0
    out=$(LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-$bound} timeout "$seconds" "$binary" --exact "$model" --nocapture 2>&1) || status=$?
    case $status in
        0) whole=$((whole + 1)) verdict="holds" ;;
        124) cut=$((cut + 1)) verdict="no fault in $seconds s, not ended" ;;
        *) failed=1 verdict="FAILS" ;;
    esac
    echo "$model: $verdict ($((SECONDS - began)) s)"
    [ "$status" -eq 0 ] || [ "$status" -eq 124 ] || printf '%s\n' "$out" >&2
done
echo "$whole explored whole, $cut cut short"
exit "$failed"
