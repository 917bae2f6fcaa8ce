#!/usr/bin/env bash
# Kills 1,000 processes at work on rings of all kinds and accounts for every item. RINGPIPE_SOAK_DEATHS=100000 ci/soak.sh kills more;
# RINGPIPE_SOAK_SEED=N draws other faults.
set -euo pipefail
cd "$(dirname "$0")/.."
exec ci/leaks.sh cargo run --release -- soak --deaths "${RINGPIPE_SOAK_DEATHS:-1000}" --items 1000000 --seed "${RINGPIPE_SOAK_SEED:-1983}"
