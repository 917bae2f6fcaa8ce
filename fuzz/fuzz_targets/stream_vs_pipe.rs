//! Any script of operations: a stream does what a FIFO of the kernel does.
#![no_main]

#[path = "../../tests/common/twins.rs"]
mod twins;

libfuzzer_sys::fuzz_target!(|script: &[u8]| {
    let steps = script.as_chunks().0.iter().copied();
    twins::run(&steps.map(twins::Step::of_bytes).collect::<Vec<_>>());
});
