#!/usr/bin/env bash
# Runs all tests; fails, too, if they leave a System V object behind.
set -euo pipefail
cd "$(dirname "$0")/.."
exec ci/leaks.sh cargo test "$@"
