//! Any script of operations: a stream does what a FIFO of the kernel does.
#![no_main]

#[path = "../../tests/common/twins.rs"]
mod twins;

use nix::sys::signal::{SigSet, Signal};

libfuzzer_sys::fuzz_target!(
    // A Rust program ignores SIGPIPE, a fuzzer does not: it would end where the kernel's FIFO says EPIPE.
    init: SigSet::from(Signal::SIGPIPE).thread_block().expect("a signal can be blocked"),
    |script: &[u8]| twins::run_bytes(script)
);
