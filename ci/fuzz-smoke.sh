#!/usr/bin/env bash
# Builds the fuzz targets with AddressSanitizer and runs each for a while, from the inputs in fuzz/corpus, to which it adds nothing;
# fails if one finds something, or leaves a System V object behind. RINGPIPE_FUZZ_RUNS says how many runs (3000), the arguments
# which targets (all); none takes longer than 15 s. What was found is in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${CARGO_TARGET_DIR:-target}"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
if ! rustc +nightly --version >/dev/null 2>&1; then
    (cd fuzz && RUSTFLAGS="${RUSTFLAGS:-} --cfg fuzzing" CARGO_TARGET_DIR="$target/fuzz-check" cargo check)
    echo "the fuzz targets compile, but were not run: there is no nightly toolchain ('rustup toolchain install nightly')" >&2
    exit 0
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    export PATH="$target/fuzz-tools/bin:$PATH"
    cargo fuzz --version >/dev/null 2>&1 ||
        cargo install --quiet --locked --version 0.13.2 --root "$target/fuzz-tools" cargo-fuzz
fi
# Built in a hurry, since the runs are few.
export CARGO_PROFILE_RELEASE_OPT_LEVEL="${CARGO_PROFILE_RELEASE_OPT_LEVEL:-0}"
build=(--codegen-units 16 --target-dir "$target/fuzz")
cargo +nightly fuzz build "${build[@]}"
if [ $# -eq 0 ]; then
    mapfile -t names < <(cargo +nightly fuzz list)
    set -- "${names[@]}"
fi
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
for name in "$@"; do
    echo "== $name"
    mkdir "$new/$name"
    ci/leaks.sh cargo +nightly fuzz run "${build[@]}" "$name" "$new/$name" "fuzz/corpus/$name" -- \
        -runs="${RINGPIPE_FUZZ_RUNS:-3000}" -max_total_time=15 -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 2>&1 |
        grep -vE '^#[0-9]+.*(NEW|REDUCE|pulse)|NEW_FUNC|^INFO|^"|^###|^stat::(new|slowest)'
done
