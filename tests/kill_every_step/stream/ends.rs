//! What whoever opens a stream does.

use std::io::Read;

use ringpipe::Role;

use super::Hands;
use super::bytes::Source;
use super::line::sweep;
use super::play::{LITTLE, Play, READER, WRITER};

fn open_a_writer(hands: &Hands<'_>) {
    hands.stage.begin();
    let tx = hands.fifo.writer_nonblocking().unwrap();
    hands.stage.end();
    drop(tx);
}

fn open_a_reader(hands: &Hands<'_>) {
    hands.stage.begin();
    let rx = hands.fifo.reader_nonblocking().unwrap();
    hands.stage.end();
    drop(rx);
}

fn open_and_wait(hands: &Hands<'_>) {
    hands.stage.begin();
    let mut rx = hands.fifo.reader().unwrap();
    hands.stage.end();
    let mut bytes = [0; LITTLE];
    let read = rx.read(&mut bytes).unwrap();
    let expected = Source::Beside.bytes(0, LITTLE);
    assert!(read == 0 || bytes[..read] == expected, "{bytes:?}");
}

const OPENED: Play = Play {
    deaths: &[0, 1],
    ..WRITER
};

#[test]
fn open_a_writer_beside_others() {
    sweep(
        "stream open a writer beside others",
        Play {
            filled: 20,
            act: open_a_writer,
            ..OPENED
        },
    );
}

#[test]
fn open_a_writer_after_a_dead_one() {
    sweep(
        "stream open a writer after a dead one",
        Play {
            dead: true,
            act: open_a_writer,
            ..OPENED
        },
    );
}

#[test]
fn open_the_only_reader() {
    sweep(
        "stream open the only reader",
        Play {
            filled: 20,
            reader: false,
            act: open_a_reader,
            deaths: &[0, 1],
            ..READER
        },
    );
}

#[test]
fn open_as_the_first() {
    sweep(
        "stream open as the first",
        Play {
            role: Role::Consumer,
            filled: 20,
            writer: false,
            reader: false,
            act: open_a_reader,
            ..OPENED
        },
    );
}

#[test]
fn open_and_wait_for_a_writer() {
    sweep(
        "stream open and wait for a writer",
        Play {
            role: Role::Consumer,
            writer: false,
            reader: false,
            visited: true,
            act: open_and_wait,
            ..OPENED
        },
    );
}
