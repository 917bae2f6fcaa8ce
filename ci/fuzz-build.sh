#!/usr/bin/env bash
# Compiles the fuzz targets. To run one: cargo install cargo-fuzz; cargo +nightly fuzz run segment
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg fuzzing"
exec cargo check
