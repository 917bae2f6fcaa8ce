//! What `send` and `recv` leave behind when they end early: nothing of what they made.

use std::io::Write;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::support::{Case, until};

/// Whether one of them sleeps until the other side does something.
fn waits(case: &Case, role: &str) -> bool {
    case.stat()[role]["sleeping"] == 1
}

/// Neither the stream nor its name.
fn is_gone(case: &Case) -> bool {
    case.json(&["ls", "--json"]).as_array().unwrap().is_empty() && !case.has_ring()
}

#[test]
fn a_sender_that_nobody_came_for_leaves_nothing() {
    let Some(case) = Case::isolated() else { return };
    let ring = case.ring();
    for (keep, signal) in [(false, Signal::SIGINT), (true, Signal::SIGTERM)] {
        let mut args = vec!["send", &ring];
        args.extend(keep.then_some("--keep"));
        let sender = case.start_fed(&args, case.input(b"nothing"));
        until(|| waits(&case, "producer"));
        sender.signal(signal);
        let sent = sender.wait();
        assert_ne!(sent.code, Some(0));
        assert_eq!(is_gone(&case), !keep, "{}", sent.err);
    }
}

#[test]
fn a_receiver_of_a_killed_sender_leaves_nothing() {
    let Some(case) = Case::isolated() else { return };
    let ring = case.ring();
    for receiver_first in [true, false] {
        for keep in [false, true] {
            let mut args = vec!["recv", &ring];
            args.extend(keep.then_some("--keep"));
            let (mut receiver, mut sender) = (None, None);
            for now in [receiver_first, !receiver_first] {
                if now {
                    receiver = Some(case.start(&args));
                    until(|| case.stat()["consumer"]["attached"] == 1);
                } else {
                    sender = Some(case.start_fed(&["send", &ring], Stdio::piped()));
                    until(|| case.stat()["producer"]["attached"] == 1);
                }
            }
            let (receiver, mut sender) = (receiver.unwrap(), sender.unwrap());
            let mut pipe = sender.stdin();
            pipe.write_all(b"begun").unwrap();
            until(|| receiver.written() == 5);
            sender.signal(Signal::SIGKILL);
            let received = receiver.wait();
            assert_eq!(received.code, Some(3), "{}", received.err);
            let says = received.err.contains("the stream stays");
            assert_eq!((is_gone(&case), says), (!keep, keep), "{}", received.err);
            sender.wait();
            assert_eq!(
                case.run(&["rm", &ring]).code,
                Some(if keep { 0 } else { 4 })
            );
        }
    }
}

#[test]
fn a_receiver_that_is_ended_leaves_nothing() {
    for how in ["--persist", "--keep-open"] {
        let Some(case) = Case::isolated() else { return };
        let receiver = case.start(&["recv", how, &case.ring()]);
        until(|| waits(&case, "consumer"));
        receiver.signal(Signal::SIGTERM);
        assert_eq!(receiver.wait().code, Some(143));
        assert!(is_gone(&case));
    }
}

/// Whoever made it: the receiver did, and was killed, or told to keep it.
#[test]
fn a_sender_without_its_receiver_leaves_nothing() {
    let Some(case) = Case::isolated() else { return };
    let ring = case.ring();
    for (how, signal) in [("--persist", Signal::SIGKILL), ("--keep", Signal::SIGTERM)] {
        let receiver = case.start(&["recv", how, &ring]);
        until(|| waits(&case, "consumer"));
        let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
        let mut pipe = sender.stdin();
        pipe.write_all(b"begun").unwrap();
        until(|| receiver.written() == 5);
        receiver.signal(signal);
        receiver.wait();
        let sent = sender.wait();
        assert_eq!(sent.code, Some(3), "{}", sent.err);
        assert_eq!(is_gone(&case), how != "--keep");
    }
}

#[test]
fn what_mkfifo_has_made_stays_when_one_is_ended() {
    let Some(case) = Case::isolated() else { return };
    let ring = case.ring();
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
    for (args, role) in [(["recv", &ring], "consumer"), (["send", &ring], "producer")] {
        let waiting = case.start(&args);
        until(|| waits(&case, role));
        waiting.signal(Signal::SIGTERM);
        assert_eq!(waiting.wait().code, Some(143));
        assert!(case.has_ring());
    }
    assert_eq!(case.stat()["state"], "ready");
}

#[test]
fn the_last_to_leave_of_two_that_are_ended_at_once_takes_all() {
    let Some(case) = Case::isolated() else { return };
    let ring = case.ring();
    for _ in 0..20 {
        let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
        let mut pipe = sender.stdin();
        let receiver = case.start(&["recv", &ring]);
        pipe.write_all(b"begun").unwrap();
        until(|| receiver.written() == 5);
        sender.signal(Signal::SIGINT);
        receiver.signal(Signal::SIGINT);
        assert_eq!(sender.wait().code, Some(130));
        let code = receiver.wait().code;
        assert!(matches!(code, Some(130 | 3)), "{code:?}");
        assert!(is_gone(&case));
    }
}

#[test]
fn a_receiver_whose_stream_is_removed_starts_over() {
    let case = Case::new();
    let ring = case.ring();
    let receiver = case.start(&["recv", &ring]);
    until(|| waits(&case, "consumer"));
    assert_eq!(case.run(&["rm", &ring]).code, Some(0));
    let sent = case.start_fed(&["send", &ring], case.input(b"all"));
    assert_eq!(sent.wait().code, Some(0));
    let received = receiver.wait();
    assert_eq!((received.code, &*received.out), (Some(0), &b"all"[..]));
}
