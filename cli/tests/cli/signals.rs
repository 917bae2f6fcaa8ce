//! SIGINT, SIGTERM and SIGHUP end every wait, wherever it is, with the code that shells expect.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::support::{Case, PROGRAM, Process, fill, noise, until};

const ALL: [(Signal, i32); 3] = [
    (Signal::SIGINT, 130),
    (Signal::SIGTERM, 143),
    (Signal::SIGHUP, 129),
];

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
fn a_sender_that_waits_for_a_receiver_can_be_ended() {
    for (signal, code) in ALL {
        let case = Case::new();
        let sender = case.start_fed(&["send", &case.ring()], case.input(b"nothing"));
        until(|| case.stat()["producer"]["sleeping"] == 1);
        let told = expect_end(sender, signal, code);
        assert!(told.contains("nothing was sent"), "{told}");
        assert!(!case.has_ring());
    }
}

#[test]
fn a_sender_that_reads_a_silent_input_can_be_ended() {
    for (signal, code) in ALL {
        let case = Case::new();
        let mut sender = case.start_fed(&["send", &case.ring()], Stdio::piped());
        let _open = sender.stdin();
        let receiver = case.start(&["recv", "--keep", &case.ring()]);
        until(|| case.stat()["consumer"]["sleeping"] == 1 && sender.sleeps());
        expect_end(sender, signal, code);
        assert_eq!(receiver.wait().code, Some(3));
        assert_eq!(case.stat()["producer"]["finished"], false);
    }
}

#[test]
fn a_sender_that_waits_for_room_can_be_ended_and_its_receiver_is_told() {
    for (signal, code) in ALL {
        let case = Case::new();
        let (ring, data) = (case.ring(), noise(100_000));
        let (mut reader, writer) = io::pipe().unwrap();
        fill(&writer);
        let receiver = case.start_into(&["recv", &ring, "--capacity", "50000"], writer.into());
        let sender = case.start_fed(&["send", &ring, "--capacity", "50000"], case.input(&data));
        until(|| case.stat()["len"] == 49_152 && case.stat()["producer"]["sleeping"] == 1);
        let told = expect_end(sender, signal, code);
        assert!(told.contains("49152 bytes were sent"), "{told}");
        let mut written = vec![];
        reader.read_to_end(&mut written).unwrap();
        assert_eq!(receiver.wait().code, Some(3));
        assert!(written.ends_with(&data[..49_152]));
    }
}

#[test]
fn a_sender_that_waits_until_all_is_taken_can_be_ended() {
    for (signal, code) in ALL {
        let case = Case::new();
        let (_reader, writer) = io::pipe().unwrap();
        fill(&writer);
        let _receiver = case.start_into(&["recv", &case.ring()], writer.into());
        let sender = case.start_fed(&["send", &case.ring()], case.input(b"content"));
        until(|| case.stat()["len"] == 7);
        expect_end(sender, signal, code);
    }
}

#[test]
fn a_persistent_sender_without_a_receiver_can_be_ended() {
    for (signal, code) in ALL {
        let case = Case::new();
        let ring = case.ring();
        let mut sender = case.start_fed(&["send", "--persist", &ring], Stdio::piped());
        let mut pipe = sender.stdin();
        pipe.write_all(b"content").unwrap();
        let receiver = case.start(&["recv", &ring]);
        until(|| receiver.written() == 7);
        receiver.signal(Signal::SIGKILL);
        receiver.wait();
        expect_end(sender, signal, code);
    }
}

#[test]
fn a_receiver_that_waits_for_a_sender_can_be_ended() {
    for (signal, code) in ALL {
        let case = Case::new();
        let receiver = case.start(&["recv", &case.ring()]);
        until(|| case.stat()["consumer"]["sleeping"] == 1);
        expect_end(receiver, signal, code);
        assert!(!case.has_ring());
    }
}

#[test]
fn a_receiver_whose_output_is_full_can_be_ended() {
    for (signal, code) in ALL {
        let case = Case::new();
        let ring = case.ring();
        let _sender = case.start_fed(&["send", "--persist", &ring], case.input(b"content"));
        let (_reader, writer) = io::pipe().unwrap();
        fill(&writer);
        let receiver = case.start_into(&["recv", &ring], writer.into());
        until(|| case.stat()["len"] == 7 && receiver.sleeps());
        expect_end(receiver, signal, code);
        assert_eq!(case.stat()["len"], 7);
    }
}

#[test]
fn a_persistent_receiver_without_a_sender_can_be_ended() {
    let case = Case::new();
    let ring = case.ring();
    let receiver = case.start(&["recv", "--persist", &ring]);
    let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
    let mut pipe = sender.stdin();
    pipe.write_all(b"the beginn").unwrap();
    until(|| receiver.written() == 10);
    sender.signal(Signal::SIGKILL);
    sender.wait();
    expect_end(receiver, Signal::SIGTERM, 143);
}

/// A demo in the middle of moving bytes that way, and the number of its sending process.
fn demo_on_its_way(case: &Case, way: &str) -> (Process, String) {
    on_its_way(case, case.start(&["demo", "--bytes", "64M"]), way)
}

fn on_its_way(case: &Case, demo: Process, way: &str) -> (Process, String) {
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
fn a_demo_and_a_soak_that_are_hung_up_leave_nothing() {
    let case = Case::new();
    let (demo, child) = demo_on_its_way(&case, "ring");
    expect_end(demo, Signal::SIGHUP, 129);
    assert!(!is_running(&child));
    let soak = case.start_soak(&[]);
    until(|| fs::read_dir(case.path("scratch")).unwrap().count() > 0);
    soak.signal(Signal::SIGHUP); // as from a terminal that is closed: the kernel's, and the shell's
    expect_end(soak, Signal::SIGHUP, 129);
    assert_eq!(fs::read_dir(case.path("scratch")).unwrap().count(), 0);
}

#[test]
fn signals_that_are_ignored_end_nothing() {
    let case = Case::new();
    let ring = case.ring();
    let mut command = Command::new("sh");
    let script = "trap '' HUP INT; exec \"$@\"";
    command.args(["-c", script, "sh", PROGRAM, "recv", &ring]);
    let receiver = case.start_with(command);
    until(|| case.stat()["consumer"]["sleeping"] == 1);
    receiver.signal(Signal::SIGHUP);
    receiver.signal(Signal::SIGINT);
    let sent = case.start_fed(&["send", &ring], case.input(b"all"));
    assert_eq!(sent.wait().code, Some(0));
    let received = receiver.wait();
    assert_eq!((received.code, &*received.out), (Some(0), &b"all"[..]));
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

/// As ^C at a terminal does.
#[test]
fn a_demo_interrupted_with_its_sender_says_so_every_time() {
    for way in ["ring", "pipe"] {
        for attempt in 0..10 {
            let case = Case::new();
            let mut command = case.command(&["demo", "--bytes", "32M"]);
            command.process_group(0);
            let (demo, _) = on_its_way(&case, case.start_with(command), way);
            killpg(Pid::from_raw(demo.pid().cast_signed()), Signal::SIGINT).unwrap();
            let ended = demo.wait();
            assert_eq!(ended.code, Some(130), "{attempt}: {}", ended.err);
            assert_eq!(ended.err, "ringpipe: ended by SIGINT\n");
        }
    }
}

/// Of two who get the same signal, the sender may be the first to know.
#[test]
fn a_demo_whose_sender_is_interrupted_first_says_so() {
    let case = Case::new();
    let (demo, child) = demo_on_its_way(&case, "ring");
    kill(Pid::from_raw(child.parse().unwrap()), Signal::SIGINT).unwrap();
    let ended = demo.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert!(ended.err.contains("ended by SIGINT"), "{}", ended.err);
}

#[test]
fn a_demo_whose_sender_is_killed_says_by_what() {
    let case = Case::new();
    let (demo, child) = demo_on_its_way(&case, "pipe");
    kill(Pid::from_raw(child.parse().unwrap()), Signal::SIGKILL).unwrap();
    let ended = demo.wait();
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("(SIGKILL)"), "{}", ended.err);
}
