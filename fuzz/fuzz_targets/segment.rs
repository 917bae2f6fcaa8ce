//! Any bytes as a whole segment: opening and using it ends in an error or in a working ring.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringpipe::internals::segment(bytes));
