//! Any bytes as a whole segment, and any script of a peer that overwrites it: using it ends in an error or in a working ring.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringpipe::internals::segment(bytes));
