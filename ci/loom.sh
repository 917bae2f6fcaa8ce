#!/usr/bin/env bash
# Model-checks the protocols. LOOM_MAX_PREEMPTIONS=3 ci/loom.sh looks deeper and takes much longer.
set -euo pipefail
cd "$(dirname "$0")/.."
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-2}"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
exec cargo test -p ringpipe --profile loom --test loom -- --nocapture "$@"
