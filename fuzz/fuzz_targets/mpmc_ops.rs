//! Any script of operations: a shared ring answers as a model of its slots does, whoever leaves or dies.
#![no_main]

#[path = "../../tests/common/slots.rs"]
mod slots;
#[path = "../../tests/common/warehouse.rs"]
mod warehouse;

libfuzzer_sys::fuzz_target!(|script: &[u8]| warehouse::run_bytes(script));
