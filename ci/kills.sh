#!/usr/bin/env bash
# Kills 10,000 processes at work on shared rings and looks at what is left. RINGPIPE_KILLS=100000 ci/kills.sh kills more.
set -euo pipefail
cd "$(dirname "$0")/.."
export RINGPIPE_KILLS="${RINGPIPE_KILLS:-10000}"
exec ci/leaks.sh cargo test -p ringpipe --release --test mpmc_kills -- --nocapture "$@"
