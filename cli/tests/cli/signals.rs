//! SIGINT and SIGTERM end every wait, wherever it is, with the code that shells expect.

use std::fs::{self, OpenOptions};
use std::io::{self, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;

use crate::support::{Case, Process, noise, until};

const BOTH: [(Signal, i32); 2] = [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)];

fn expect_end(process: Process, signal: Signal, code: i32) -> String {
    process.signal(signal);
    let ended = process.wait();
    assert_eq!(ended.code, Some(code), "{}", ended.err);
    let name = signal.as_str();
    assert!(
        ended.err.contains(&format!("ended by {name}")),
        "{}",
        ended.err
    );
    ended.err
}

#[test]
fn a_sender_that_reads_a_silent_input_can_be_ended() {
    for (signal, code) in BOTH {
        let case = Case::new();
        let mut sender = case.start_fed(&["send", &case.ring()], Stdio::piped());
        let _open = sender.stdin();
        until(|| case.stat()["producer"]["alive"] == true);
        expect_end(sender, signal, code);
        assert_eq!(case.stat()["producer"]["finished"], false);
    }
}

#[test]
fn a_sender_that_waits_for_room_can_be_ended_and_its_receiver_is_told() {
    for (signal, code) in BOTH {
        let case = Case::new();
        let (ring, data) = (case.ring(), noise(100_000));
        let args = ["send", &ring, "--capacity", "50000"];
        let sender = case.start_fed(&args, case.input(&data));
        until(|| case.stat()["producer"]["sleeping"] == 1);
        let told = expect_end(sender, signal, code);
        assert!(told.contains("50000 bytes were sent"), "{told}");
        let received = case.run(&["recv", &ring]);
        assert_eq!(received.code, Some(3), "{}", received.err);
        assert!(received.out == data[..50_000]);
    }
}

#[test]
fn a_receiver_that_waits_for_a_sender_can_be_ended() {
    for (signal, code) in BOTH {
        let case = Case::new();
        let receiver = case.start(&["recv", &case.ring()]);
        until(|| case.stat()["consumer"]["sleeping"] == 1);
        expect_end(receiver, signal, code);
        assert!(case.has_ring());
    }
}

/// Fills a pipe to the brim. By a description of its own, since not to block is a property of that.
fn fill(pipe: &PipeWriter) {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let mut filler = OpenOptions::new();
    let filler = filler.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let mut filler = filler.open(path).unwrap();
    while filler.write(&[0; 4096]).is_ok() {}
}

#[test]
fn a_receiver_whose_output_is_full_can_be_ended() {
    for (signal, code) in BOTH {
        let case = Case::new();
        let ring = case.ring();
        let sent = case.start_fed(&["send", &ring], case.input(b"content"));
        assert_eq!(sent.wait().code, Some(0));
        let (_reader, writer) = io::pipe().unwrap();
        fill(&writer);
        let receiver = case.start_into(&["recv", &ring], writer.into());
        until(|| case.stat()["consumer"]["alive"] == true && receiver.sleeps());
        expect_end(receiver, signal, code);
        assert_eq!(case.stat()["len"], 7);
    }
}

#[test]
fn a_persistent_receiver_without_a_sender_can_be_ended() {
    let case = Case::new();
    let ring = case.ring();
    let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
    let _open = sender.stdin();
    until(|| case.stat()["producer"]["alive"] == true);
    sender.signal(Signal::SIGKILL);
    sender.wait();
    let receiver = case.start(&["recv", "--persist", &ring]);
    until(|| case.stat()["consumer"]["alive"] == true);
    expect_end(receiver, Signal::SIGTERM, 143);
}

/// A demo in the middle of moving bytes that way, and the number of its sending process.
fn demo_on_its_way(case: &Case, way: &str) -> (Process, String) {
    let demo = case.start(&["demo", "--bytes", "64M"]);
    let children = format!("/proc/{0}/task/{0}/children", demo.pid());
    let mut child = String::new();
    until(|| {
        let children = fs::read_to_string(&children).unwrap();
        child = children.trim().to_owned();
        // Set apart by zeroes.
        let command = fs::read_to_string(format!("/proc/{child}/cmdline"));
        command.is_ok_and(|command| command.contains(&format!("--way\0{way}\0")))
            && has_sent_much(case, way, &child)
    });
    (demo, child)
}

fn has_sent_much(case: &Case, way: &str, child: &str) -> bool {
    if way == "pipe" {
        // Bytes it handed to write(2).
        let io = fs::read_to_string(format!("/proc/{child}/io")).unwrap_or_default();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        return written.is_some_and(|bytes| bytes.parse::<u64>().unwrap() > 1 << 20);
    }
    let rings = case.json(&["ls", "--json"]);
    let pid: i64 = child.parse().unwrap();
    let mut rings = rings.as_array().unwrap().iter();
    rings.any(|ring| ring["producer"]["pid"] == pid && ring["produced"].as_u64().unwrap() > 1 << 20)
}

fn is_running(pid: &str) -> bool {
    // Of a process that has ended and is not reaped, the command line is empty.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command| !command.is_empty())
}

#[test]
fn a_demo_can_be_ended_and_takes_its_sender_along() {
    for way in ["ring", "pipe"] {
        let case = Case::new();
        let (demo, child) = demo_on_its_way(&case, way);
        expect_end(demo, Signal::SIGTERM, 143);
        assert!(!is_running(&child));
    }
}

#[test]
fn a_killed_demo_leaves_neither_its_sender_nor_its_ring() {
    for way in ["ring", "pipe"] {
        let case = Case::new();
        let (demo, child) = demo_on_its_way(&case, way);
        demo.signal(Signal::SIGKILL);
        assert_eq!(demo.wait().code, None);
        until(|| !is_running(&child));
    }
}

#[test]
fn a_demo_that_computes_can_be_ended() {
    let case = Case::new();
    let demo = case.start(&["demo", "--bytes", "1T"]);
    // As soon as a handler is there: until then a signal just kills.
    let status = format!("/proc/{}/status", demo.pid());
    until(|| {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
        caught & (1 << 14) != 0
    });
    expect_end(demo, Signal::SIGTERM, 143);
}
