//! Any bytes as a rendezvous file: an opener gets the ring that the file is about, or an error.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringpipe::internals::rendezvous(bytes));
