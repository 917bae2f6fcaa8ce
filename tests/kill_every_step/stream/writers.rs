//! What a writer does.

use std::io::Write;
use std::mem::forget;

use ringpipe::Role;
use ringpipe::stream::Writer;

use super::bytes::Source;
use super::line::sweep;
use super::play::{Play, WRITER};
use super::{CAPACITY, Hands};
use crate::sleeper::Sleeps;

/// How many bytes are written at once where they are few.
const FEW: usize = 6;

fn write(hands: &Hands<'_>, tx: &mut Writer, (first, count): (usize, usize)) {
    let bytes = Source::Victim.bytes(first, count);
    assert_eq!(tx.write(&bytes).unwrap(), count);
    hands.stage.report((first + count) as u64);
}

fn write_once(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    hands.stage.begin();
    write(hands, &mut tx, (0, FEW));
    hands.stage.end();
}

fn write_twice(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    hands.stage.begin();
    write(hands, &mut tx, (0, FEW));
    write(hands, &mut tx, (FEW, FEW));
    hands.stage.end();
}

fn write_a_page(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    let bytes = Source::Victim.bytes(0, CAPACITY);
    hands.stage.begin();
    assert_eq!(tx.write(&bytes).unwrap(), CAPACITY);
    hands.stage.report(CAPACITY as u64);
    hands.stage.end();
}

fn write_more_than_fits(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    let bytes = Source::Victim.bytes(0, LARGE);
    hands.stage.begin();
    assert_eq!(tx.write(&bytes).unwrap(), LARGE);
    hands.stage.report(LARGE as u64);
    hands.stage.end();
}

const LARGE: usize = CAPACITY + 300;

fn reserve_and_commit(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    hands.stage.begin();
    let mut room = tx.reserve(FEW).unwrap();
    fill(&mut room);
    room.commit(FEW - 1);
    hands.stage.report(FEW as u64 - 1);
    hands.stage.end();
}

fn fill(room: &mut ringpipe::stream::Reservation<'_>) {
    let (first, second) = room.as_mut_slices();
    let places = first.iter_mut().chain(second);
    for (n, place) in places.enumerate() {
        *place = Source::Victim.bytes(n, 1)[0];
    }
}

fn reserve_and_drop(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    hands.stage.begin();
    drop(tx.reserve(FEW).unwrap());
    hands.stage.end();
}

fn commit_some_of_all(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    let mut room = tx.reserve(CAPACITY).unwrap();
    fill(&mut room);
    hands.stage.begin();
    room.commit(FEW);
    hands.stage.report(FEW as u64);
    hands.stage.end();
}

fn give_up_all(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    let room = tx.reserve(CAPACITY).unwrap();
    hands.stage.begin();
    drop(room);
    hands.stage.end();
}

fn close(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    write(hands, &mut tx, (0, FEW));
    hands.stage.begin();
    tx.close().unwrap();
    hands.stage.end();
}

fn close_with_the_turn(hands: &Hands<'_>) {
    let mut tx = hands.writer();
    forget(tx.reserve(FEW).unwrap());
    hands.stage.begin();
    tx.close().unwrap();
    hands.stage.end();
}

#[test]
fn write_beside_one_that_keeps_its_turn() {
    sweep(
        "stream write beside one that keeps its turn",
        Play {
            act: write_twice,
            passed: &[0, FEW, 2 * FEW],
            ..WRITER
        },
    );
}

#[test]
fn write_with_a_turn_that_is_kept() {
    sweep(
        "stream write with a turn that is kept",
        Play {
            writer: false,
            act: write_twice,
            passed: &[0, FEW, 2 * FEW],
            ..WRITER
        },
    );
}

#[test]
fn write_around_the_end() {
    sweep(
        "stream write of a page around the end",
        Play {
            before: CAPACITY / 2,
            writer: false,
            act: write_a_page,
            passed: &[0, CAPACITY],
            ..WRITER
        },
    );
}

#[test]
fn write_that_wakes_a_reader() {
    sweep(
        "stream write that wakes a reader",
        Play {
            writer: false,
            reader: false,
            sleepers: (Role::Consumer, 1),
            sleeps: Sleeps::Before,
            act: write_once,
            passed: &[0, FEW],
            ..WRITER
        },
    );
}

#[test]
fn write_while_a_reader_goes_to_sleep() {
    sweep(
        "stream write while a reader goes to sleep",
        Play {
            sleepers: (Role::Consumer, 1),
            sleeps: Sleeps::Meanwhile,
            act: write_once,
            passed: &[0, FEW],
            ..WRITER
        },
    );
}

#[test]
fn write_that_sleeps_for_room() {
    sweep(
        "stream write that sleeps for room",
        Play {
            filled: CAPACITY - FEW + 1,
            writer: false,
            act: write_once,
            passed: &[0, FEW],
            ..WRITER
        },
    );
}

#[test]
fn write_that_waits_for_the_turn() {
    sweep(
        "stream write that waits for the turn",
        Play {
            holds: true,
            act: write_once,
            passed: &[0, FEW],
            ..WRITER
        },
    );
}

#[test]
fn write_more_than_a_page() {
    sweep(
        "stream write of more than a page",
        Play {
            before: CAPACITY / 2,
            act: write_more_than_fits,
            passed: &[LARGE],
            any: true,
            ..WRITER
        },
    );
}

#[test]
fn write_after_a_dead_writer() {
    sweep(
        "stream write after a dead writer",
        Play {
            dead: true,
            act: write_once,
            passed: &[0, FEW],
            ..WRITER
        },
    );
}

#[test]
fn reserve_and_commit_some() {
    sweep(
        "stream reserve and commit",
        Play {
            act: reserve_and_commit,
            passed: &[0, FEW - 1],
            ..WRITER
        },
    );
}

#[test]
fn reserve_and_give_up() {
    sweep(
        "stream reserve and give up",
        Play {
            act: reserve_and_drop,
            ..WRITER
        },
    );
}

/// Another writer waits for the turn that the victim has in hand.
const BESIDE_ONE_THAT_WAITS: Play = Play {
    writer: false,
    sleepers: (Role::Producer, 1),
    sleeps: Sleeps::Before,
    ..WRITER
};

#[test]
fn commit_what_a_writer_waits_for() {
    sweep(
        "stream commit what a writer waits for",
        Play {
            act: commit_some_of_all,
            passed: &[0, FEW],
            ..BESIDE_ONE_THAT_WAITS
        },
    );
}

#[test]
fn give_up_what_a_writer_waits_for() {
    sweep(
        "stream give up what a writer waits for",
        Play {
            act: give_up_all,
            ..BESIDE_ONE_THAT_WAITS
        },
    );
}

#[test]
fn close_what_a_writer_waits_for() {
    sweep(
        "stream close with the turn that a writer waits for",
        Play {
            act: close_with_the_turn,
            deaths: &[0, 1],
            ..BESIDE_ONE_THAT_WAITS
        },
    );
}

#[test]
fn close_beside_another() {
    sweep(
        "stream close a writer beside another",
        Play {
            act: close,
            passed: &[FEW],
            deaths: &[0, 1],
            ..WRITER
        },
    );
}

#[test]
fn close_the_last_writer() {
    sweep(
        "stream close the last writer",
        Play {
            writer: false,
            reader: false,
            sleepers: (Role::Consumer, 2),
            sleeps: Sleeps::Before,
            act: |hands| {
                let tx = hands.writer();
                hands.stage.begin();
                tx.close().unwrap();
                hands.stage.end();
            },
            deaths: &[0, 1],
            ..WRITER
        },
    );
}
