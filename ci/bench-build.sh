#!/usr/bin/env bash
# Compiles the benchmarks and runs one tiny round of each, with its checks of correctness.
set -euo pipefail
cd "$(dirname "$0")/.."
exec ci/leaks.sh cargo bench --bench throughput --bench mpmc --bench stream -- --quick
