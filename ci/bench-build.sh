#!/usr/bin/env bash
# Compiles the benchmarks and runs one tiny round of each, with its checks of correctness; and counts instructions, where there is
# valgrind, which fails if an operation takes more than are recorded.
set -euo pipefail
cd "$(dirname "$0")/.."
exec ci/leaks.sh cargo bench --bench throughput --bench mpmc --bench stream --bench instructions -- --quick
