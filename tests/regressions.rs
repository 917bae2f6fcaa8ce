//! What went wrong once, each in an IPC namespace of its own.
#![allow(missing_docs)]

mod common;

use common::apart::{apart, segments, sets};
use ringpipe::spsc::Ring;
use ringpipe::sysv::Key;
use ringpipe::{Error, Name};

#[test]
fn key_zero_made_a_ring_that_nobody_could_find() {
    apart(|| {
        let created = Ring::<u8>::create(Name::Key(Key::PRIVATE), 1);
        assert!(matches!(created.unwrap_err(), Error::BadName { .. }));
        assert_eq!((segments(), sets()), (vec![], vec![]));
    });
}
