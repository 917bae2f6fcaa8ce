//! Scripts of operations, made up by proptest, on a FIFO of the kernel and on one of ours: both must do what a FIFO does.
#![allow(missing_docs)]

#[path = "common/twins.rs"]
mod twins;

use proptest::collection::vec;
use proptest::prelude::*;
use ringpipe::stream::PIPE_BUF;
use twins::{CAPACITY, Step, run, run_bytes};

fn step() -> impl Strategy<Value = Step> {
    let n = 0..=3 * CAPACITY;
    let few = 0_usize..300;
    let around = PIPE_BUF - 2..PIPE_BUF + 3;
    let end = 0_usize..3;
    prop_oneof![
        1 => Just(Step::OpenReader),
        1 => Just(Step::OpenWriter),
        1 => end.clone().prop_map(Step::CloneReader),
        1 => end.clone().prop_map(Step::CloneWriter),
        1 => end.clone().prop_map(Step::CloseReader),
        1 => end.clone().prop_map(Step::CloseWriter),
        3 => (end.clone(), n.clone()).prop_map(|(end, n)| Step::Write(end, n)),
        3 => (end.clone(), few.clone()).prop_map(|(end, n)| Step::Write(end, n)),
        2 => (end.clone(), around).prop_map(|(end, n)| Step::Write(end, n)),
        2 => (end.clone(), n.clone(), few.clone()).prop_map(|(end, one, two)| Step::WriteParts(end, one, two)),
        4 => (end.clone(), n.clone()).prop_map(|(end, n)| Step::Read(end, n)),
        2 => (end.clone(), few, n.clone()).prop_map(|(end, one, two)| Step::ReadParts(end, one, two)),
        3 => (end, n).prop_map(|(end, n)| Step::Consume(end, n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn both_do_what_a_fifo_does(mut steps in vec(step(), 1..80), opened in any::<bool>()) {
        if opened {
            steps.splice(0..0, [Step::OpenReader, Step::OpenWriter]);
        }
        run(&steps);
    }
}

/// The bytes of a fuzzer are scripts too.
#[test]
fn bytes_are_scripts() {
    let bytes: Vec<u8> = (0..5000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    run_bytes(&bytes);
}
