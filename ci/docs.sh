#!/usr/bin/env bash
# Builds the documentation, private items too; warnings are errors.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTDOCFLAGS="-D warnings"
cargo doc --workspace --no-deps
cargo doc -p ringpipe --no-deps --document-private-items
