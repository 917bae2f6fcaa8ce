//! Any script of operations: the ring answers as a queue does.
#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| ringpipe::internals::spsc_ops(script));
