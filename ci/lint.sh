#!/usr/bin/env bash
# Formatting and lints, of everything that is ever compiled; warnings are errors.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo fmt --check --manifest-path comparison/Cargo.toml
cargo clippy --workspace --all-targets --all-features -- -D warnings
RUSTFLAGS="${RUSTFLAGS:-} --cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom" \
    cargo clippy -p ringpipe --lib --test loom -- -D warnings
RUSTFLAGS="${RUSTFLAGS:-} --cfg fuzzing" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/fuzz-check" \
    cargo clippy -p ringpipe --lib -- -D warnings
ci/layers.sh
