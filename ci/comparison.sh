#!/usr/bin/env bash
# Tests the comparison with the rivals, and lets each contender pass a few messages in each measurement, checked; and sees
# that nothing is left in shared memory and among the temporary files. Built without optimisation, since nothing is measured.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/leaks.sh cargo test --locked --quiet --manifest-path comparison/Cargo.toml
cargo build --locked --quiet --manifest-path comparison/Cargo.toml
program=${CARGO_TARGET_DIR:-comparison/target}/debug/ringpipe-comparison
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
files() { find /dev/shm "$scratch" -mindepth 1 -name '*ringpipe*' | sort; }
before=$(files)
status=0
ci/leaks.sh "$program" --quick --json "$scratch/all.json" --plots "$scratch/plots" > "$scratch/tables" || status=$?
grep FAILED "$scratch/tables" >&2 || true
left=$(comm -13 <(printf '%s\n' "$before") <(files))
if [ -n "$left" ]; then
    printf 'left behind:\n%s\n' "$left" >&2
    [ "$status" -ne 0 ] || status=1
fi
for file in all.json plots/round-trip-of-8-b.svg; do
    [ -s "$scratch/$file" ] || { echo "$file was not written" >&2; status=1; }
done
[ "$status" -ne 0 ] || echo "the comparison is whole"
exit "$status"
