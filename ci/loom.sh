#!/usr/bin/env bash
# Model-checks the protocols. LOOM_MAX_PREEMPTIONS=2 looks deeper into shared roles, 3 into all, and take much longer.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
exec cargo test -p ringpipe --profile loom --test loom -- --nocapture "$@"
