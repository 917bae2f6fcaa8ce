#!/usr/bin/env bash
# Has each call to the kernel fail in each way that its page of the manual knows; `cargo test` tries a part.
# Usage: ci/faults.sh [PART-OF-A-TEST'S-NAME]
set -euo pipefail
cd "$(dirname "$0")/.."
export RINGPIPE_EVERY_FAULT=1
exec ci/leaks.sh cargo test -p ringpipe --release --test faults -- --nocapture "$@"
