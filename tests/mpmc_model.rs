//! Scripts of operations on several handles, made up by proptest, on a shared ring and on a model of its slots: both must
//! answer alike, on both backings. Claims and rooms stay open while other handles are at work.
#![allow(missing_docs)]

mod common;

use common::Place;
use common::warehouse::{Bench, End, HANDLES, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use ringpipe::DeadConsumer;
use ringpipe::mpmc::Options;

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => (0_usize..12).prop_map(End::Release),
        1 => Just(End::PutBack),
        1 => Just(End::Drop),
        1 => Just(End::DropReleased),
        1 => Just(End::Forget),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (who, n) = (0..HANDLES, 0_usize..12);
    let leaf = prop_oneof![
        3 => who.clone().prop_map(Step::Push),
        3 => (who.clone(), n.clone()).prop_map(|(who, n)| Step::PushSlice(who, n)),
        3 => who.clone().prop_map(Step::Pop),
        2 => (who.clone(), n.clone()).prop_map(|(who, n)| Step::PopSlice(who, n)),
        1 => who.clone().prop_map(Step::NewProducer),
        1 => who.clone().prop_map(Step::NewConsumer),
        1 => who.clone().prop_map(Step::AbandonProducer),
        1 => who.clone().prop_map(Step::AbandonConsumer),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        let meanwhile = vec(inner, 0..6);
        let claims = (who.clone(), n.clone(), end(), meanwhile.clone());
        let rooms = (
            who.clone(),
            n.clone(),
            proptest::option::of(n.clone()),
            meanwhile,
        );
        prop_oneof![
            claims.prop_map(|(who, items, end, meanwhile)| Step::Claim {
                who,
                items,
                end,
                meanwhile
            }),
            rooms.prop_map(|(who, room, commit, meanwhile)| Step::Reserve {
                who,
                room,
                commit,
                meanwhile
            }),
        ]
    })
}

fn policy() -> impl Strategy<Value = DeadConsumer> {
    prop_oneof![Just(DeadConsumer::Redeliver), Just(DeadConsumer::Drop)]
}

/// The bytes of a fuzzer are scripts too.
#[test]
fn bytes_are_scripts() {
    let bytes: Vec<u8> = (0..9000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    bytes.chunks(300).for_each(common::warehouse::run_bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_shared_ring_in_a_segment_answers_as_its_model_does(capacity in 1_usize..10, policy in policy(), steps in vec(step(), 0..80)) {
        let place = Place::new();
        let options = Options::new().capacity(capacity).dead_consumer(policy);
        let mut bench = Bench::new(options.create(place.path()).unwrap());
        bench.run(&steps);
        bench.finish();
    }

    #[test]
    fn a_shared_ring_within_the_process_answers_as_its_model_does(capacity in 1_usize..10, policy in policy(), steps in vec(step(), 0..80)) {
        let options = Options::new().capacity(capacity).dead_consumer(policy);
        let mut bench = Bench::new(options.in_process().unwrap());
        bench.run(&steps);
        bench.finish();
    }
}
