#!/usr/bin/env bash
# Compiles with exactly the Rust version that Cargo.toml states, where that toolchain is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
have() { rustc "$@" --version 2>/dev/null | awk -v wanted="$wanted" '{ exit index($2 ".", wanted ".") != 1 }'; }
if have; then
    cargo check --workspace --all-targets
elif have "+$wanted.0"; then
    CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/msrv" cargo "+$wanted.0" check --workspace --all-targets
else
    echo "Rust $wanted is not installed: 'rustup toolchain install $wanted' and run this again" >&2
    exit 1
fi
echo "compiles with Rust $wanted, as Cargo.toml states"
