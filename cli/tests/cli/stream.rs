//! `send` and `recv`: what goes in comes out, whoever starts first and whoever is killed.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Case, noise, until};

const MIB: usize = 1 << 20;

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
    until(|| case.stat()["len"] == 10_007);
    let received = case.run(&["recv", &ring]);
    assert_eq!(sender.wait().code, Some(0));
    assert_eq!((received.code, &*received.err), (Some(0), ""));
    assert!(received.out == data);
    assert!(!case.has_ring());
}

#[test]
fn what_a_sender_left_is_received_later() {
    let case = Case::new();
    let ring = case.ring();
    let sent = case.start_fed(&["send", &ring], case.input(b"hello"));
    assert_eq!(sent.wait().code, Some(0));
    assert_eq!(case.stat()["len"], 5);
    let received = case.run(&["recv", &ring]);
    assert_eq!((received.code, &*received.out), (Some(0), &b"hello"[..]));
    assert!(!case.has_ring());
}

#[test]
fn an_input_that_just_fits_needs_no_receiver() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(4096));
    let sent = case.start_fed(&["send", &ring, "--capacity", "4K"], case.input(&data));
    assert_eq!(sent.wait().code, Some(0));
    assert!(case.run(&["recv", &ring]).out == data);
}

#[test]
fn a_ring_of_one_byte_is_enough() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(1000));
    let sender = case.start_fed(&["send", &ring, "--capacity", "1"], case.input(&data));
    assert!(case.run(&["recv", &ring]).out == data);
    assert_eq!(sender.wait().code, Some(0));
}

#[test]
fn an_empty_input_is_received_either_way() {
    let case = Case::new();
    let ring = case.ring();
    assert_eq!(case.run(&["send", &ring]).code, Some(0));
    let received = case.run(&["recv", &ring]);
    assert_eq!((received.code, received.out.len()), (Some(0), 0));
    assert!(!case.has_ring());

    let receiver = case.start(&["recv", &ring]);
    until(|| case.stat()["consumer"]["alive"] == true);
    assert_eq!(case.run(&["send", &ring]).code, Some(0));
    let received = receiver.wait();
    assert_eq!((received.code, received.out.len()), (Some(0), 0));
}

#[test]
fn keep_leaves_the_ring_to_the_next_sender() {
    let case = Case::new();
    let ring = case.ring();
    for text in [b"first", b"other"] {
        let sent = case.start_fed(&["send", &ring], case.input(text));
        assert_eq!(sent.wait().code, Some(0));
        let received = case.run(&["recv", "--keep", &ring]);
        assert_eq!((received.code, &*received.out), (Some(0), &text[..]));
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
    assert_eq!(case.stat()["len"], 0);
}

#[test]
fn a_sender_killed_before_a_receiver_comes_is_noticed_too() {
    let case = Case::new();
    let ring = case.ring();
    let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
    let mut pipe = sender.stdin();
    pipe.write_all(b"the beginn").unwrap();
    until(|| case.stat()["len"] == 10);
    sender.signal(Signal::SIGKILL);
    sender.wait();
    let received = case.run(&["recv", &ring]);
    assert_eq!(
        (received.code, &*received.out),
        (Some(3), &b"the beginn"[..])
    );
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
    until(|| case.stat()["producer"]["sleeping"] == 1 && case.stat()["len"] == 256 << 10);
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
fn a_sender_without_its_receiver_ends_and_says_what_is_left() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(MIB));
    let args = ["send", &ring, "--capacity", "64K"];
    let sender = case.start_fed(&args, case.input(&data));
    let (receiver, mut pipe) = case.start_piped(&["recv", &ring, "--capacity", "64K"]);
    pipe.read_exact(&mut [0; 1000]).unwrap();
    receiver.signal(Signal::SIGKILL);
    let sent = sender.wait();
    assert_eq!(sent.code, Some(3), "{}", sent.err);
    let left = case.stat()["len"].as_u64().unwrap();
    let told = format!("{left} bytes that it did not take are in the ring");
    assert!(sent.err.contains(&told), "{}", sent.err);
    let rest = case.run(&["recv", &ring]);
    assert_eq!((rest.code, rest.out.len() as u64), (Some(3), left));
}

#[test]
fn a_receiver_of_earlier_times_does_not_end_a_sender() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(MIB));
    case.start_fed(&["send", &ring, "--capacity", "64K"], case.input(b"old"))
        .wait();
    assert_eq!(case.run(&["recv", "--keep", &ring]).code, Some(0));
    let sender = case.start_fed(&["send", &ring], case.input(&data));
    until(|| case.stat()["len"] == 64 << 10);
    let received = case.run(&["recv", &ring]);
    assert_eq!(sender.wait().code, Some(0));
    assert!(received.out == data);
}

#[test]
fn a_receiver_without_a_reader_ends_quietly_and_keeps_all() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(100_000));
    case.start_fed(&["send", &ring], case.input(&data)).wait();
    let (receiver, pipe) = case.start_piped(&["recv", &ring]);
    drop(pipe);
    let ended = receiver.wait();
    // The pipe takes bytes until its reader is gone; no more than that are missing.
    assert_eq!((ended.code, &*ended.err), (Some(141), ""));
    let rest = case.run(&["recv", &ring]);
    assert_eq!(rest.code, Some(0));
    assert!(data.ends_with(&rest.out));
    assert!(rest.out.len() >= data.len() - (64 << 10));
}

/// The receiver is held while it removes the ring: there it locks the file, which the test has locked before.
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
    // It has taken the sender's role, and waits for the lock.
    until(|| case.stat()["producer"]["pid"] == receiver.pid());
    let mut second = case.start_fed(&["send", &ring], case.input(b"two"));
    thread::sleep(Duration::from_millis(100)); // for it to do the wrong thing, if it can
    drop(lock);
    // It may be told that the role is taken; it may not push what nobody will get.
    let sent = loop {
        match second.wait() {
            refused if refused.code == Some(5) => {
                second = case.start_fed(&["send", &ring], case.input(b"two"));
            }
            other => break other,
        }
    };
    assert_eq!(sent.code, Some(0), "{}", sent.err);
    let received = receiver.wait();
    assert_eq!((received.code, &*received.out), (Some(0), &b"one"[..]));
    assert_eq!(case.stat()["len"], 3);
    assert_eq!(case.run(&["recv", &ring]).out, b"two");
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
