#!/usr/bin/env bash
# Runs the tests with hostile peers, and others that touch every byte of a ring, under AddressSanitizer. Needs a nightly
# toolchain: without one it says so and checks nothing.
#
# What it sees: any access outside of what a ring within one process has on the heap, and outside of this process's own variables and
# slices. What it cannot see: an access inside of an attached segment, but beyond the slot that was meant, is allowed to
# everybody; what lies beside an attached segment it knows nothing of, so the hostile tests put pages without access
# there where they can. Each forked process reports for itself, and fails its test by its exit code. Leaks are not looked for: who ends
# by _exit or a signal frees nothing. What cannot be allocated gives no memory, as without it.
set -euo pipefail
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
runtime="lib/rustlib/$target/lib/librustc-nightly_rt.asan.a"
if ! sysroot=$(rustc +nightly --print sysroot 2>/dev/null) || [ ! -e "$sysroot/$runtime" ]; then
    echo "asan: no nightly toolchain with $(basename "$runtime") for $target; nothing was checked"
    exit 0
fi
tests=(hostile foreign contract model mpmc_contract mpmc_model stream_model regressions abi)
exec ci/leaks.sh env \
    RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address" \
    ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0:allocator_may_return_null=1}" \
    CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/asan" \
    cargo +nightly test -p ringpipe --target "$target" "${tests[@]/#/--test=}" "$@"
