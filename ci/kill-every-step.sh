#!/usr/bin/env bash
# Kills processes before every machine instruction of every operation, and halts others there; `cargo test` tries a part.
# At each it is killed, and halted in one of two ways in turn; RINGPIPE_EVERY_STEP=all has both at each, and =5 each fifth point.
# Usage: ci/kill-every-step.sh [PART-OF-A-TEST'S-NAME]
set -euo pipefail
cd "$(dirname "$0")/.."
export RINGPIPE_EVERY_STEP="${RINGPIPE_EVERY_STEP:-1}"
exec ci/leaks.sh cargo test -p ringpipe --release --test kill_every_step -- --nocapture "$@"
