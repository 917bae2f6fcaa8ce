//! What a reader does.

use std::io::{BufRead, Read};

use ringpipe::Role;
use ringpipe::stream::Reader;

use super::line::sweep;
use super::play::{LITTLE, Play, READER};
use super::{CAPACITY, Hands};
use crate::sleeper::Sleeps;

/// How many bytes are read at once.
const FEW: usize = 6;

fn read(hands: &Hands<'_>, rx: &mut Reader, before: usize) -> [u8; FEW] {
    let mut bytes = [0; FEW];
    assert_eq!(rx.read(&mut bytes).unwrap(), FEW);
    hands.stage.report((before + FEW) as u64);
    bytes
}

fn read_once(hands: &Hands<'_>) {
    let mut rx = hands.reader();
    hands.stage.begin();
    let bytes = read(hands, &mut rx, 0);
    hands.stage.end();
    hands.tell(&bytes);
}

fn read_twice(hands: &Hands<'_>) {
    let mut rx = hands.reader();
    hands.stage.begin();
    let first = read(hands, &mut rx, 0);
    let second = read(hands, &mut rx, FEW);
    hands.stage.end();
    hands.tell(&[first, second].concat());
}

fn read_what_comes(hands: &Hands<'_>) {
    let mut rx = hands.reader();
    let mut bytes = [0; FEW];
    hands.stage.begin();
    let count = rx.read(&mut bytes).unwrap();
    hands.stage.report(count as u64);
    hands.stage.end();
    assert_eq!(count, LITTLE);
    hands.tell(&bytes[..count]);
}

fn read_the_end(hands: &Hands<'_>) {
    let mut rx = hands.reader();
    hands.stage.begin();
    assert_eq!(rx.read(&mut [0; FEW]).unwrap(), 0);
    hands.stage.end();
}

fn fill_buf_and_consume(hands: &Hands<'_>) {
    let mut rx = hands.reader();
    let mut bytes = [0; FEW];
    hands.stage.begin();
    let first = rx.fill_buf().unwrap();
    let count = first.len().min(LITTLE);
    bytes[..count].copy_from_slice(&first[..count]);
    rx.consume(count);
    hands.stage.report(count as u64);
    hands.stage.end();
    assert_eq!(count, LITTLE);
    hands.tell(&bytes[..count]);
}

fn fill_buf_and_put_back(hands: &Hands<'_>) {
    let mut rx = hands.reader();
    hands.stage.begin();
    assert!(!rx.fill_buf().unwrap().is_empty());
    rx.consume(0);
    hands.stage.end();
}

fn consume(hands: &Hands<'_>, count: usize) {
    let mut rx = hands.reader();
    let bytes = rx.fill_buf().unwrap()[..count].to_vec();
    hands.stage.begin();
    rx.consume(count);
    hands.stage.report(count as u64);
    hands.stage.end();
    hands.tell(&bytes);
}

fn close(hands: &Hands<'_>) {
    let rx = hands.reader();
    hands.stage.begin();
    rx.close().unwrap();
    hands.stage.end();
}

fn close_with_the_turn(hands: &Hands<'_>) {
    let mut rx = hands.reader();
    assert!(!rx.fill_buf().unwrap().is_empty());
    hands.stage.begin();
    rx.close().unwrap();
    hands.stage.end();
}

#[test]
fn read_beside_one_that_keeps_its_turn() {
    sweep(
        "stream read beside one that keeps its turn",
        Play {
            act: read_twice,
            passed: &[0, FEW, 2 * FEW],
            ..READER
        },
    );
}

#[test]
fn read_with_a_turn_that_is_kept() {
    sweep(
        "stream read with a turn that is kept",
        Play {
            reader: false,
            act: read_twice,
            passed: &[0, FEW, 2 * FEW],
            ..READER
        },
    );
}

#[test]
fn read_that_wakes_a_writer() {
    sweep(
        "stream read that wakes a writer",
        Play {
            filled: CAPACITY,
            reader: false,
            sleepers: (Role::Producer, 1),
            sleeps: Sleeps::Before,
            act: read_twice,
            passed: &[0, FEW, 2 * FEW],
            ..READER
        },
    );
}

#[test]
fn read_that_wakes_two_writers() {
    sweep(
        "stream read that wakes two writers",
        Play {
            filled: CAPACITY,
            reader: false,
            sleepers: (Role::Producer, 2),
            sleeps: Sleeps::Before,
            act: read_once,
            passed: &[0, FEW],
            ..READER
        },
    );
}

#[test]
fn read_that_sleeps() {
    sweep(
        "stream read that sleeps",
        Play {
            filled: 0,
            act: read_what_comes,
            passed: &[0, LITTLE],
            ..READER
        },
    );
}

#[test]
fn read_that_waits_for_the_turn() {
    sweep(
        "stream read that waits for the turn",
        Play {
            holds: true,
            act: read_once,
            passed: &[0, FEW],
            ..READER
        },
    );
}

#[test]
fn read_the_end_of_the_file() {
    sweep(
        "stream read the end of the file",
        Play {
            filled: 0,
            ends: true,
            act: read_the_end,
            ..READER
        },
    );
}

#[test]
fn read_after_a_dead_reader() {
    sweep(
        "stream read after a dead reader",
        Play {
            dead: true,
            act: read_once,
            passed: &[0, FEW],
            ..READER
        },
    );
}

#[test]
fn fill_buf_and_consume_some() {
    sweep(
        "stream fill_buf and consume",
        Play {
            act: fill_buf_and_consume,
            passed: &[0, LITTLE],
            ..READER
        },
    );
}

#[test]
fn fill_buf_and_consume_none() {
    sweep(
        "stream fill_buf and consume none",
        Play {
            act: fill_buf_and_put_back,
            ..READER
        },
    );
}

/// Another reader waits for the turn that the victim has in hand.
const BESIDE_ONE_THAT_WAITS: Play = Play {
    before: 0,
    filled: FEW,
    reader: false,
    sleepers: (Role::Consumer, 1),
    sleeps: Sleeps::Before,
    ..READER
};

#[test]
fn consume_what_a_reader_waits_for() {
    sweep(
        "stream consume what a reader waits for",
        Play {
            act: |hands| consume(hands, FEW),
            passed: &[0, FEW],
            ..BESIDE_ONE_THAT_WAITS
        },
    );
}

#[test]
fn put_back_what_a_reader_waits_for() {
    sweep(
        "stream put back what a reader waits for",
        Play {
            act: |hands| consume(hands, 0),
            ..BESIDE_ONE_THAT_WAITS
        },
    );
}

#[test]
fn close_what_a_reader_waits_for() {
    sweep(
        "stream close with the turn that a reader waits for",
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
        "stream close a reader beside another",
        Play {
            act: close,
            deaths: &[0, 1],
            ..READER
        },
    );
}

#[test]
fn close_the_last_reader() {
    sweep(
        "stream close the last reader",
        Play {
            filled: CAPACITY,
            reader: false,
            sleepers: (Role::Producer, 2),
            sleeps: Sleeps::Before,
            act: close,
            deaths: &[0, 1],
            ..READER
        },
    );
}
