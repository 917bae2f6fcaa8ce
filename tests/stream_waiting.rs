//! Who waits at a stream, and what wakes it: states in which a wake-up was lost, wasted or given to oneself.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::io::{BufRead, Read, Write};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{until, watched};
use nix::unistd::gettid;
use ringpipe::stream::{Fifo, Options, Reader, Readiness, Writer};
use ringpipe::sysv::semctl_getval;
use ringpipe::{Error, Name, Role};

const CAPACITY: usize = 8192;
/// The semaphores of wake-ups, as docs/abi.md has them.
const FULL: u16 = 2;
const EMPTY: u16 = 3;

fn fifo() -> Fifo {
    Options::new()
        .capacity(CAPACITY)
        .create(Name::Private)
        .unwrap()
}

/// How many are asleep in a role, as the kernel has it.
fn sleepers(fifo: &Fifo, role: Role) -> u32 {
    let status = fifo.status().unwrap().unwrap();
    match role {
        Role::Producer => status.producer.sleeping,
        Role::Consumer => status.consumer.sleeping,
    }
}

/// Does something in a thread, and waits until one more is asleep in that role.
fn sleeper<T: Send + 'static>(
    fifo: &Fifo,
    role: Role,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let before = sleepers(fifo, role);
    let thread = thread::spawn(work);
    until(|| sleepers(fifo, role) > before);
    thread
}

/// A stream with so much room, two writers, of which the second wrote last, and a reader.
fn nearly_full(room: usize) -> (Fifo, Writer, Writer, Reader) {
    let fifo = fifo();
    let (mut one, reader) = fifo.both().unwrap();
    let mut two = one.try_clone().unwrap();
    one.write_all(&vec![0; CAPACITY - room - 1]).unwrap();
    two.write_all(b"x").unwrap();
    (fifo, one, two, reader)
}

fn writes(mut writer: Writer, n: usize) -> impl FnOnce() -> Writer + Send {
    move || {
        writer.write_all(&vec![1; n]).unwrap();
        writer
    }
}

fn reads(reader: &mut Reader, n: usize) {
    reader.read_exact(&mut vec![0; n]).unwrap();
}

fn woken(fifo: &Fifo, semaphore: u16) -> i32 {
    let set = fifo.status().unwrap().unwrap().set.unwrap();
    semctl_getval(set, semaphore).unwrap()
}

/// How often a thread was put to sleep.
fn naps(thread: i32) -> String {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("voluntary"));
    line.unwrap().to_owned()
}

/// There is room, but not enough for it: it wakes nobody by looking, least of all itself.
#[test]
fn a_writer_that_waits_for_more_room_sleeps() {
    let (_place, _watchdog) = watched("a_writer_that_waits_for_more_room_sleeps");
    let fifo = fifo();
    let (mut writer, mut reader) = fifo.both().unwrap();
    writer.write_all(&[0; CAPACITY - 100]).unwrap();
    let (tell, told) = mpsc::channel();
    let writing = sleeper(&fifo, Role::Producer, move || {
        tell.send(gettid().as_raw()).unwrap();
        writer.write_all(&[1; 1000]).unwrap();
    });
    let thread = told.recv().unwrap();
    // It has been asleep for a while, and not again and again.
    let before = naps(thread);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(naps(thread), before);
    assert_eq!(woken(&fifo, EMPTY), 0);
    reads(&mut reader, 1000);
    writing.join().unwrap();
}

#[test]
fn looking_for_the_end_leaves_no_wake_ups() {
    let (_place, _watchdog) = watched("looking_for_the_end_leaves_no_wake_ups");
    let fifo = fifo();
    let mut reader = fifo.reader_nonblocking().unwrap();
    reader.set_nonblocking(false);
    for _ in 0..1000 {
        assert_eq!(reader.read(&mut [0; 9]).unwrap(), 0);
    }
    assert_eq!(woken(&fifo, FULL), 0);
}

/// The one with the lower number is woken when the turn is free, and cannot use it.
#[test]
fn a_turn_that_is_let_go_unused_reaches_who_can_use_it() {
    let (_place, _watchdog) = watched("a_turn_that_is_let_go_unused_reaches_who_can_use_it");
    let (fifo, large, mut holder, _reader) = nearly_full(100);
    let small = holder.try_clone().unwrap();
    let large = sleeper(&fifo, Role::Producer, writes(large, 4096));
    let room = holder.reserve(50).unwrap();
    let small = sleeper(&fifo, Role::Producer, writes(small, 10));
    drop(room);
    drop(small.join().unwrap());
    drop(_reader);
    assert!(large.join().is_err(), "it was told that nobody reads");
}

/// The same room twice, though something happened in between.
#[test]
fn room_that_comes_again_is_told_again() {
    let (_place, _watchdog) = watched("room_that_comes_again_is_told_again");
    let (fifo, large, mut small, mut reader) = nearly_full(100);
    let large = sleeper(&fifo, Role::Producer, writes(large, 4096));
    small.write_all(&[2; 100]).unwrap();
    let small = sleeper(&fifo, Role::Producer, writes(small, 10));
    reads(&mut reader, 50);
    drop(small.join().unwrap());
    reads(&mut reader, CAPACITY - 100);
    drop(large.join().unwrap());
}

#[test]
fn who_waits_for_much_room_does_not_keep_others_from_little() {
    let (_place, _watchdog) = watched("who_waits_for_much_room_does_not_keep_others_from_little");
    let (fifo, mut patient, small, mut reader) = nearly_full(0);
    let patient = sleeper(&fifo, Role::Producer, move || {
        patient.wait_writable(None).unwrap()
    });
    let small = sleeper(&fifo, Role::Producer, writes(small, 10));
    reads(&mut reader, 100);
    drop(small.join().unwrap());
    reads(&mut reader, CAPACITY - 200);
    assert_eq!(patient.join().unwrap(), Readiness::OUT);
}

/// Who only waits for bytes, and does not take them, wakes one who does.
#[test]
fn who_only_looks_takes_no_wake_up_from_who_reads() {
    let (_place, _watchdog) = watched("who_only_looks_takes_no_wake_up_from_who_reads");
    let fifo = fifo();
    let (mut writer, mut looking) = fifo.both().unwrap();
    let mut reading = looking.try_clone().unwrap();
    let looking = sleeper(&fifo, Role::Consumer, move || {
        (looking.wait_readable(None).unwrap(), looking)
    });
    let reading = sleeper(&fifo, Role::Consumer, move || {
        reading.read(&mut [0; 9]).unwrap()
    });
    writer.write_all(b"abc").unwrap();
    assert_eq!(reading.join().unwrap(), 3);
    // The bytes may be gone before the other has seen them, and then it waits on.
    writer.write_all(b"d").unwrap();
    let (readiness, _stays) = looking.join().unwrap();
    assert_eq!(readiness, Readiness::IN);
}

#[test]
fn a_writer_that_came_and_went_is_a_hang_up() {
    let (_place, _watchdog) = watched("a_writer_that_came_and_went_is_a_hang_up");
    let fifo = fifo();
    let mut reader = fifo.reader_nonblocking().unwrap();
    let waiting = sleeper(&fifo, Role::Consumer, move || {
        reader.wait_readable(None).unwrap()
    });
    drop(fifo.writer_nonblocking().unwrap());
    assert_eq!(waiting.join().unwrap(), Readiness::HUP);
}

/// Who opens waits for a partner since before it could be seen itself: or one that saw it, wrote and went would be missed.
#[test]
fn a_partner_that_was_quick_is_not_missed() {
    let (_place, _watchdog) = watched("a_partner_that_was_quick_is_not_missed");
    let fifo = fifo();
    for _ in 0..3000 {
        let there = fifo.clone();
        let writing = thread::spawn(move || {
            loop {
                match there.writer_nonblocking() {
                    Ok(mut writer) => {
                        // It may find the turn in the hands of the one who comes.
                        writer.set_nonblocking(false);
                        return writer.write_all(b"hello").unwrap();
                    }
                    Err(Error::NoReader { .. }) => std::hint::spin_loop(),
                    Err(other) => panic!("{other}"),
                }
            }
        });
        let mut bytes = String::new();
        fifo.reader().unwrap().read_to_string(&mut bytes).unwrap();
        assert_eq!(bytes, "hello");
        writing.join().unwrap();
    }
}

#[test]
fn what_was_shown_can_be_consumed_bit_by_bit() {
    let (_place, _watchdog) = watched("what_was_shown_can_be_consumed_bit_by_bit");
    let (mut writer, mut reader) = fifo().both().unwrap();
    writer.write_all(b"0123456789").unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"0123456789");
    reader.consume(3);
    reader.consume(0);
    reader.consume(7);
    assert_eq!(reader.available(), 0);
}

/// What one thread knows of an end, another's write knows too.
#[test]
fn who_gave_up_reads_no_more() {
    let (_place, _watchdog) = watched("who_gave_up_reads_no_more");
    for _ in 0..300 {
        let (mut writer, reader) = fifo().both().unwrap();
        writer.write_all(b"a").unwrap();
        reader.abandon();
        assert!(writer.write(b"b").is_err());
        assert_eq!(writer.readers().unwrap().deaths, 1);
    }
}

#[test]
fn opening_and_closing_at_once_is_no_crowd() {
    let (_place, _watchdog) = watched("opening_and_closing_at_once_is_no_crowd");
    let fifo = fifo();
    thread::scope(|scope| {
        for n in 0..6 {
            let fifo = &fifo;
            scope.spawn(move || {
                for _ in 0..2000 {
                    let opened = if n % 2 == 0 {
                        fifo.reader_nonblocking().map(drop)
                    } else {
                        fifo.writer_nonblocking().map(drop)
                    };
                    assert!(
                        matches!(opened, Ok(()) | Err(Error::NoReader { .. })),
                        "{opened:?}"
                    );
                }
            });
        }
    });
}
