//! Consumers killed in the middle of giving something back: the segment is put as such a one would have left it.
#![allow(missing_docs)]

mod common;

use common::raw::Raw;
use common::{Child, Shared, forked, wait_for_the_end, watched};
use nix::sys::signal::Signal;
use ringpipe::TryPopError;
use ringpipe::mpmc::{Claim, Consumer, Options, Ring};

const PARTICIPANTS: usize = 4;
const CAPACITY: usize = 4;
/// Offsets: of what says that something was returned, of the table of participants, of the slots' words.
const RETURNED: usize = 2048 + 256;
const TABLE: usize = 4096;
const WORDS: usize = TABLE + PARTICIPANTS * 128;
/// Of an entry: the note of a cut.
const SPLIT: usize = 16;

/// The word of a slot that is free in the second lap.
const FREE: u64 = 1 << 24;

fn reading(owner: usize, run: u64) -> u64 {
    3 | (owner as u64) << 3 | run << 12
}

fn ring_of_three(place: &common::Place) -> Ring<u64> {
    let options = Options::new().capacity(CAPACITY).participants(PARTICIPANTS);
    let ring = options.create(place.path()).unwrap();
    ring.producer().unwrap().push_slice(&[1, 2, 3]).unwrap();
    ring
}

/// A consumer that has claimed all and done something with the claim, stopped. Its number comes along.
fn stopped(ring: &Ring<u64>, then: impl FnOnce(Claim<'_, u64>)) -> (Child, usize) {
    let shared = Shared::new();
    let child = forked(|| {
        let mut rx: Consumer<u64> = ring.consumer().unwrap();
        shared.set(1, rx.number() as u64);
        then(rx.claim(3).unwrap());
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child.signal(Signal::SIGSTOP);
    (child, shared.get(1) as usize)
}

fn keep(claim: Claim<'_, u64>) {
    std::mem::forget(claim);
}

fn put_back(claim: Claim<'_, u64>) {
    claim.put_back();
}

fn raw(ring: &Ring<u64>) -> Raw {
    Raw::attach(ring.status().unwrap().unwrap().id)
}

fn word(slot: usize) -> usize {
    WORDS + slot * 8
}

/// That all three come again, in any order, and that there is room for as many as the ring holds.
#[track_caller]
fn all_come_again(ring: &Ring<u64>) {
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let mut got = [(); 3].map(|()| (rx.try_pop().unwrap(), rx.redelivered()));
    got.sort_unstable();
    assert_eq!(got, [(1, true), (2, true), (3, true)]);
    assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
    assert_eq!(tx.try_push_slice(&[0; 9]), Ok(CAPACITY));
}

#[test]
fn killed_before_it_told_that_something_was_put_back() {
    let (place, _watchdog) = watched("not told");
    let ring = ring_of_three(&place);
    let (child, _) = stopped(&ring, put_back);
    assert_eq!(raw(&ring).number(RETURNED, 4), 1);
    raw(&ring).set(RETURNED, 4, 0);
    child.kill();
    all_come_again(&ring);
}

/// In the middle of a release, which goes from the last slot to the first.
#[test]
fn killed_in_the_middle_of_a_release() {
    let (place, _watchdog) = watched("half a release");
    let ring = ring_of_three(&place);
    let (child, number) = stopped(&ring, keep);
    assert_eq!(raw(&ring).number(word(0), 8), reading(number, 3));
    raw(&ring).set(word(2), 8, FREE);
    child.kill();
    all_come_again(&ring);
}

/// Between the halves of a cut: the second part's word is set, the first's still tells of all.
fn cut_in_half(ring: &Ring<u64>, child: Child, number: usize, at: u64) {
    let raw = raw(ring);
    let note = at << 12 | (3 - at);
    raw.set(TABLE + (number - 1) * 128 + SPLIT, 8, note);
    raw.set(word(at as usize), 8, 6 | (3 - at) << 12); // returned
    child.kill();
}

#[test]
fn killed_between_the_halves_of_a_cut() {
    for at in [1, 2] {
        let (place, _watchdog) = watched("half a cut");
        let ring = ring_of_three(&place);
        let (child, number) = stopped(&ring, keep);
        cut_in_half(&ring, child, number, at);
        all_come_again(&ring);
    }
}

/// Before the cut, the note tells of something that has not begun.
#[test]
fn killed_before_a_cut() {
    let (place, _watchdog) = watched("no cut");
    let ring = ring_of_three(&place);
    let (child, number) = stopped(&ring, keep);
    raw(&ring).set(TABLE + (number - 1) * 128 + SPLIT, 8, 1 << 12 | 2);
    child.kill();
    all_come_again(&ring);
}

/// One dies in the middle of a release, the next, which has the same items, in the middle of a cut.
#[test]
fn killed_between_the_halves_of_a_cut_after_half_a_release() {
    let (place, _watchdog) = watched("half a cut of half a release");
    let ring = ring_of_three(&place);
    let (child, _) = stopped(&ring, keep);
    raw(&ring).set(word(2), 8, FREE);
    child.kill();
    let (child, number) = stopped(&ring, |claim| {
        assert!(claim.redelivered() && claim.len() == 3);
        std::mem::forget(claim);
    });
    cut_in_half(&ring, child, number, 2);
    all_come_again(&ring);
}
