//! Creators that are killed while they make the first ring of their life: no test of this file uses the library in
//! the test process itself, so that each child does all that a process does once.
#![allow(missing_docs)]

mod common;

use std::mem::forget;
use std::thread;
use std::time::Duration;

use common::apart::{apart_unprepared, segments, sets};
use common::steps::killed_everywhere_unprepared;
use common::{forked_unprepared, times, until};
use nix::sys::signal::Signal;
use ringpipe::spsc::Ring;
use ringpipe::sysv::Key;
use ringpipe::{Error, Name};

const KEY: Key = Key::new(0x6b65_7931);

/// Collects in a process of its own, so that this one stays one that has not used the library.
fn collect() {
    forked_unprepared(|| drop(ringpipe::collect(&[], false).expect("lists can be read"))).join();
}

fn remove(name: &Name) {
    forked_unprepared(|| match ringpipe::remove(name) {
        Ok(()) | Err(Error::NotFound { .. }) => {}
        Err(other) => panic!("{other}"),
    })
    .join();
}

/// What a killed creator's self-test leaves ends by itself, a moment later.
fn until_clean() {
    until(|| {
        collect();
        segments().is_empty() && sets().is_empty()
    });
}

/// A moment between 0 and a millisecond.
fn moment(round: u64) -> Duration {
    Duration::from_micros(round.wrapping_mul(7919) % 1000)
}

fn names(folder: &tempfile::TempDir) -> [Name; 3] {
    [
        folder.path().join("ring").into(),
        Name::Private,
        Name::Key(KEY),
    ]
}

#[test]
fn a_fresh_creator_killed_after_any_call_leaves_nothing() {
    apart_unprepared(|| {
        let folder = tempfile::tempdir().unwrap();
        for name in &names(&folder) {
            let mut killed = 0;
            killed_everywhere_unprepared(
                || forget(Ring::<u64>::create(name, 4).unwrap()),
                |_| {
                    killed += 1;
                    if *name != Name::Private {
                        remove(name);
                    }
                    collect();
                    assert_eq!((segments(), sets()), (vec![], vec![]), "{name}, {killed}");
                },
            );
            assert!(killed > 40, "{killed}");
        }
    });
}

#[test]
fn fresh_creators_killed_within_a_millisecond_leave_nothing() {
    apart_unprepared(|| {
        let folder = tempfile::tempdir().unwrap();
        let names = names(&folder);
        for round in 0..200 * times("RINGPIPE_FRESH_KILLS") {
            let name = &names[round as usize % names.len()];
            let creator = forked_unprepared(|| {
                forget(Ring::<u64>::open_or_create(name, 4));
                forget(Ring::<u64>::private(4));
                common::wait_for_the_end();
            });
            thread::sleep(moment(round));
            creator.signal(Signal::SIGKILL);
            drop(creator);
        }
        names[..1].iter().chain(&names[2..]).for_each(remove);
        until_clean();
    });
}
