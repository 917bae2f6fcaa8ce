//! `send` and `recv`: what goes in comes out, whoever starts first and whoever is killed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringpipe::stream::{Fifo, PIPE_BUF};

use crate::support::{Case, fill, noise, until};

const MIB: usize = 1 << 20;

/// Whether one of them sleeps until the other side does something.
fn waits(case: &Case, role: &str) -> bool {
    case.stat()[role]["sleeping"] == 1
}

/// Whether there is no room for a piece that would have to be whole.
fn is_full(case: &Case) -> bool {
    let stat = case.stat();
    let room = stat["capacity"].as_u64().zip(stat["len"].as_u64());
    room.is_some_and(|(capacity, len)| capacity - len < PIPE_BUF as u64)
}

#[test]
fn a_copy_is_exact_when_the_receiver_is_first() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(5 * MIB + 123));
    let receiver = case.start(&["recv", &ring, "--capacity", "64K"]);
    until(|| case.stat()["consumer"]["alive"] == true);
    let sender = case.start_fed(&["send", &ring], case.input(&data));
    assert_eq!(sender.wait().code, Some(0));
    let received = receiver.wait();
    assert_eq!((received.code, &*received.err), (Some(0), ""));
    assert!(received.out == data);
    assert!(!case.has_ring());
}

#[test]
fn a_copy_is_exact_when_the_sender_is_first() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(3 * MIB));
    let sender = case.start_fed(&["send", &ring, "--capacity", "10007"], case.input(&data));
    until(|| waits(&case, "producer"));
    let received = case.run(&["recv", &ring]);
    assert_eq!(sender.wait().code, Some(0));
    assert_eq!((received.code, &*received.err), (Some(0), ""));
    assert!(received.out == data);
    assert!(!case.has_ring());
}

#[test]
fn a_sender_waits_for_a_receiver() {
    let case = Case::new();
    let ring = case.ring();
    let sender = case.start_fed(&["send", &ring], case.input(b"hello"));
    until(|| waits(&case, "producer"));
    assert_eq!(case.stat()["len"], 0);
    let received = case.run(&["recv", &ring]);
    assert_eq!((received.code, &*received.out), (Some(0), &b"hello"[..]));
    assert_eq!(sender.wait().code, Some(0));
    assert!(!case.has_ring());
}

#[test]
fn a_sender_waits_until_all_is_taken() {
    let case = Case::new();
    let ring = case.ring();
    let (mut reader, writer) = io::pipe().unwrap();
    fill(&writer);
    let receiver = case.start_into(&["recv", &ring], writer.into());
    let mut sender = case.start_fed(&["send", &ring], case.input(b"hello"));
    until(|| case.stat()["len"] == 5);
    thread::sleep(Duration::from_millis(100)); // for it to end, if it does
    assert!(sender.is_running());
    let mut written = vec![];
    reader.read_to_end(&mut written).unwrap();
    assert!(written.ends_with(b"hello"));
    assert_eq!(
        (sender.wait().code, receiver.wait().code),
        (Some(0), Some(0))
    );
}

#[test]
fn the_smallest_stream_is_enough() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(100_001));
    let sender = case.start_fed(&["send", &ring, "--capacity", "4K"], case.input(&data));
    assert!(case.run(&["recv", &ring]).out == data);
    assert_eq!(sender.wait().code, Some(0));
}

#[test]
fn an_empty_input_is_received_either_way() {
    let case = Case::new();
    let ring = case.ring();
    let sender = case.start(&["send", &ring]);
    until(|| waits(&case, "producer"));
    let received = case.run(&["recv", &ring]);
    assert_eq!((received.code, received.out.len()), (Some(0), 0));
    assert_eq!(sender.wait().code, Some(0));
    assert!(!case.has_ring());

    let receiver = case.start(&["recv", &ring]);
    until(|| waits(&case, "consumer"));
    assert_eq!(case.run(&["send", &ring]).code, Some(0));
    let received = receiver.wait();
    assert_eq!((received.code, received.out.len()), (Some(0), 0));
}

#[test]
fn keep_leaves_the_stream_to_the_next_sender() {
    let case = Case::new();
    let ring = case.ring();
    for text in [b"first", b"other"] {
        let sender = case.start_fed(&["send", &ring], case.input(text));
        let received = case.run(&["recv", "--keep", &ring]);
        assert_eq!((received.code, &*received.out), (Some(0), &text[..]));
        assert_eq!(sender.wait().code, Some(0));
        assert!(case.has_ring());
    }
    assert_eq!(case.stat()["producer"]["holders"], 2);
}

#[test]
fn a_sender_killed_midway_is_told_from_one_that_finished() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(8 * MIB));
    let receiver = case.start(&["recv", &ring, "--capacity", "64K"]);
    let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
    let mut pipe = sender.stdin();
    let fed = data.clone();
    let feeder = thread::spawn(move || {
        let _ = pipe.write_all(&fed);
        pipe // kept open: the sender never sees an end
    });
    until(|| receiver.written() > MIB as u64);
    sender.signal(Signal::SIGKILL);
    assert_eq!(sender.wait().code, None);
    drop(feeder.join().unwrap());
    let received = receiver.wait();
    assert_eq!(received.code, Some(3), "{}", received.err);
    assert!(data.starts_with(&received.out));
    let told = format!("{} bytes were received", received.out.len());
    assert!(received.err.contains(&told), "{}", received.err);
}

#[test]
fn a_sender_killed_before_a_receiver_comes_is_nobodys_loss() {
    let case = Case::new();
    let ring = case.ring();
    let sender = case.start_fed(&["send", &ring], case.input(b"nothing"));
    until(|| waits(&case, "producer"));
    sender.signal(Signal::SIGKILL);
    sender.wait();
    let receiver = case.start(&["recv", &ring]);
    until(|| waits(&case, "consumer"));
    let sent = case.start_fed(&["send", &ring], case.input(b"all"));
    assert_eq!(sent.wait().code, Some(0));
    let received = receiver.wait();
    assert_eq!((received.code, &*received.out), (Some(0), &b"all"[..]));
}

#[test]
fn a_persistent_receiver_goes_on_with_the_next_sender() {
    let case = Case::new();
    let ring = case.ring();
    let receiver = case.start(&["recv", "--persist", &ring]);
    let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
    let mut pipe = sender.stdin();
    pipe.write_all(b"one, ").unwrap();
    until(|| receiver.written() == 5);
    sender.signal(Signal::SIGKILL);
    sender.wait();
    let sent = case.start_fed(&["send", &ring], case.input(b"two"));
    assert_eq!(sent.wait().code, Some(0));
    let received = receiver.wait();
    assert_eq!((received.code, &*received.out), (Some(0), &b"one, two"[..]));
    assert!(!case.has_ring());
}

/// Starts a persistent sender and a receiver that is stuck in its output, ends that one by a signal, and lets another
/// receive the rest. Returns what each has written, and how the first ended.
fn interrupted_receiver(
    case: &Case,
    data: &[u8],
    signal: Signal,
) -> (Vec<u8>, Vec<u8>, Option<i32>) {
    let ring = case.ring();
    let args = ["send", "--persist", &ring, "--capacity", "256K"];
    let sender = case.start_fed(&args, case.input(data));
    let (first, mut pipe) = case.start_piped(&["recv", &ring, "--capacity", "256K"]);
    let mut written = vec![0; 500_000];
    pipe.read_exact(&mut written).unwrap();
    // The pipe fills up, the ring too, and then everybody waits.
    until(|| waits(case, "producer") && is_full(case));
    first.signal(signal);
    let end = first.wait().code;
    pipe.read_to_end(&mut written).unwrap();
    let second = case.run(&["recv", &ring]);
    assert_eq!((second.code, sender.wait().code), (Some(0), Some(0)));
    (written, second.out, end)
}

#[test]
fn nothing_is_lost_with_a_killed_receiver() {
    let case = Case::new();
    let data = noise(4 * MIB);
    let (first, second, end) = interrupted_receiver(&case, &data, Signal::SIGKILL);
    assert_eq!(end, None);
    assert!(data.starts_with(&first));
    assert!(data.ends_with(&second));
    let twice = (first.len() + second.len()).checked_sub(data.len());
    let twice = twice.expect("the second begins at or before the end of the first");
    assert!(twice <= 64 << 10, "{twice} bytes came twice");
}

#[test]
fn nothing_comes_twice_after_a_receiver_ended_by_sigterm() {
    let case = Case::new();
    let data = noise(4 * MIB);
    let (first, second, end) = interrupted_receiver(&case, &data, Signal::SIGTERM);
    assert_eq!(end, Some(143));
    assert!([first, second].concat() == data);
}

#[test]
fn a_sender_without_its_receiver_ends_and_says_what_is_lost() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(MIB));
    let args = ["send", &ring, "--capacity", "64K", "--keep"];
    let sender = case.start_fed(&args, case.input(&data));
    let (receiver, mut pipe) = case.start_piped(&["recv", &ring, "--capacity", "64K"]);
    pipe.read_exact(&mut [0; 1000]).unwrap();
    receiver.signal(Signal::SIGKILL);
    let sent = sender.wait();
    assert_eq!(sent.code, Some(3), "{}", sent.err);
    let left = case.stat()["discarded"].as_u64().unwrap();
    let told = format!("{left} bytes that it did not take are lost");
    assert!(sent.err.contains(&told), "{}", sent.err);
}

#[test]
fn a_sender_whose_input_was_all_read_is_told_of_a_lost_receiver_too() {
    let case = Case::new();
    let ring = case.ring();
    let (_reader, writer) = io::pipe().unwrap();
    fill(&writer);
    let receiver = case.start_into(&["recv", &ring], writer.into());
    let sender = case.start_fed(&["send", &ring], case.input(b"hello"));
    until(|| case.stat()["len"] == 5);
    receiver.signal(Signal::SIGKILL);
    let sent = sender.wait();
    assert_eq!(sent.code, Some(3), "{}", sent.err);
    assert!(
        sent.err.contains("5 bytes that it did not take"),
        "{}",
        sent.err
    );
}

/// One that was through with earlier senders just when this one came.
#[test]
fn a_receiver_of_earlier_times_does_not_end_a_sender() {
    let case = Case::new();
    let ring = case.ring();
    let fifo = Fifo::create(case.ring()).unwrap();
    let reader = fifo.reader_nonblocking().unwrap();
    let mut sender = case.start_fed(&["send", &ring], case.input(b"all of it"));
    until(|| case.stat()["len"] == 9);
    drop(reader);
    thread::sleep(Duration::from_millis(100)); // for it to end, if it does
    assert!(sender.is_running());
    let received = case.run(&["recv", &ring]);
    assert_eq!(
        (received.code, &*received.out),
        (Some(0), &b"all of it"[..])
    );
    assert_eq!(sender.wait().code, Some(0));
}

#[test]
fn a_receiver_that_stops_in_the_middle_ends_a_sender() {
    let case = Case::new();
    let ring = case.ring();
    let fifo = Fifo::create(case.ring()).unwrap();
    let mut reader = fifo.reader_nonblocking().unwrap();
    let sender = case.start_fed(&["send", &ring], case.input(b"all of it"));
    until(|| case.stat()["len"] == 9);
    reader.read_exact(&mut [0; 3]).unwrap();
    drop(reader);
    let sent = sender.wait();
    assert_eq!(sent.code, Some(3), "{}", sent.err);
    assert!(
        sent.err.contains("6 bytes that it did not take"),
        "{}",
        sent.err
    );
}

#[test]
fn a_receiver_without_a_reader_ends_quietly_and_keeps_all() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(100_000));
    let sender = case.start_fed(&["send", "--persist", &ring], case.input(&data));
    let (receiver, pipe) = case.start_piped(&["recv", &ring]);
    drop(pipe);
    let ended = receiver.wait();
    // The pipe takes bytes until its reader is gone; no more than that are missing.
    assert_eq!((ended.code, &*ended.err), (Some(141), ""));
    let rest = case.run(&["recv", &ring]);
    assert_eq!((rest.code, sender.wait().code), (Some(0), Some(0)));
    assert!(data.ends_with(&rest.out));
    assert!(rest.out.len() >= data.len() - (64 << 10));
}

/// The receiver is held while it removes the ring: there it locks the file, which the test has
/// locked before. The name still leads to the ring then, so a sender that comes is one of this
/// ring's.
#[test]
fn a_sender_that_comes_while_the_ring_is_removed_loses_nothing() {
    let case = Case::new();
    let ring = case.ring();
    let receiver = case.start(&["recv", &ring]);
    until(|| case.stat()["consumer"]["alive"] == true);
    let lock = File::open(&ring).unwrap();
    lock.lock().unwrap();
    let first = case.start_fed(&["send", &ring], case.input(b"one"));
    assert_eq!(first.wait().code, Some(0));
    // For the receiver to find the end, and to come to the lock.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(case.stat()["state"], "ready");
    let second = case.start_fed(&["send", &ring], case.input(b"two"));
    until(|| case.stat()["producer"]["holders"] == 2);
    drop(lock);
    let received = receiver.wait();
    assert_eq!((received.code, &*received.out), (Some(0), &b"onetwo"[..]));
    assert_eq!(second.wait().code, Some(0));
    assert!(!Path::new(&ring).exists());
}

/// Receivers that remove the ring race with senders that open it.
#[test]
fn no_byte_is_pushed_into_a_ring_that_is_being_removed() {
    const FEEDS: usize = 60;
    let case = Case::new();
    let ring = case.ring();
    let mut all = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            for feed in 0..FEEDS {
                let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
                sender
                    .stdin()
                    .write_all(format!("{feed:08}\n").as_bytes())
                    .unwrap();
                let sent = sender.wait();
                assert_eq!(sent.code, Some(0), "{}", sent.err);
            }
        });
        while all.len() < FEEDS * 9 {
            let received = case.run(&["recv", &ring]);
            assert_eq!(received.code, Some(0), "{}", received.err);
            all.extend(received.out);
        }
    });
    let expected: String = (0..FEEDS).map(|feed| format!("{feed:08}\n")).collect();
    assert_eq!(String::from_utf8(all).unwrap(), expected);
}

/// A stream of bytes, or a ring of records.
const COLLECTED: [&[&str]; 2] = [&[], &["--mpmc", "--record", "8"]];

#[test]
fn a_collector_stays_through_ends_and_deaths() {
    for how in COLLECTED {
        let case = Case::new();
        let ring = case.ring();
        let send = [&["send", &ring][..], how].concat();
        let receiver = case.start(&[&["recv", "--keep-open", &ring], how].concat());
        let sent = case.start_fed(&send, case.input(b"the one,"));
        assert_eq!(sent.wait().code, Some(0));
        let mut killed = case.start_fed(&send, Stdio::piped());
        let mut pipe = killed.stdin();
        pipe.write_all(b"half of ").unwrap();
        until(|| receiver.written() == 16);
        killed.signal(Signal::SIGKILL);
        killed.wait();
        let sent = case.start_fed(&send, case.input(b"the last"));
        assert_eq!(sent.wait().code, Some(0));
        until(|| receiver.written() == 24);
        receiver.signal(Signal::SIGTERM);
        let received = receiver.wait();
        assert_eq!(received.code, Some(143), "{}", received.err);
        assert_eq!(received.out, b"the one,half of the last");
    }
}

#[test]
fn a_collector_sleeps_between_senders() {
    let case = Case::new();
    let ring = case.ring();
    let _receiver = case.start(&["recv", "--keep-open", &ring]);
    let sent = case.start_fed(&["send", &ring], case.input(b"something"));
    assert_eq!(sent.wait().code, Some(0));
    until(|| case.stat()["producer"]["attached"] == 0 && waits(&case, "consumer"));
    assert_eq!(case.stat()["consumer"]["attached"], 1);
}
