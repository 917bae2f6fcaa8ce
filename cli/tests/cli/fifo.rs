//! `mkfifo` and `cat`: the shell's FIFOs, but through a ring; and several at each end.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use ringpipe::stream::Fifo;

use crate::support::{Case, Process, fill, noise, until};

fn with_stream() -> Case {
    let case = Case::new();
    assert_eq!(case.run(&["mkfifo", &case.ring()]).code, Some(0));
    case
}

#[test]
fn mkfifo_makes_what_it_is_told() {
    let case = Case::new();
    let (one, two) = (case.path("one"), case.path("two"));
    let args = ["mkfifo", "-m", "640", "--capacity", "8K", &one, &two];
    assert_eq!(case.run(&args).code, Some(0));
    for name in [&one, &two] {
        let stat = case.json(&["stat", "--json", name]);
        assert_eq!(stat["kind"], "stream");
        assert_eq!(
            (&stat["mode"], &stat["capacity"]),
            (&"0640".into(), &8192.into())
        );
    }
}

#[test]
fn mkfifo_goes_on_after_a_failure_and_reports_it() {
    let case = with_stream();
    let other = case.path("other");
    let told = case.run(&["mkfifo", &case.ring(), &other]);
    assert_eq!(told.code, Some(5), "{}", told.err);
    let why = format!("{} exists already", case.ring());
    assert!(told.err.contains(&why), "{}", told.err);
    assert_eq!(case.run(&["stat", &other]).code, Some(0));
    let told = case.run(&["mkfifo", "--capacity", "4095", &case.path("small")]);
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(told.err.contains("4096"), "{}", told.err);
}

#[test]
fn cat_copies_from_one_end_to_the_other() {
    for reader_first in [true, false] {
        let case = with_stream();
        let (ring, data) = (case.ring(), noise(3_000_000));
        let (mut reader, mut writer) = (None, None);
        for now in [reader_first, !reader_first] {
            let role = if now { "consumer" } else { "producer" };
            if now {
                reader = Some(case.start(&["cat", &ring]));
            } else {
                writer = Some(case.start_fed(&["cat", "--to", &ring], case.input(&data)));
            }
            if reader.is_none() || writer.is_none() {
                until(|| case.stat()[role]["sleeping"] == 1);
            }
        }
        let (read, written) = (reader.unwrap().wait(), writer.unwrap().wait());
        assert_eq!((read.code, &*read.err), (Some(0), ""));
        assert_eq!((written.code, &*written.err), (Some(0), ""));
        assert!(read.out == data);
        assert!(case.has_ring(), "it is not cat's to remove");
    }
}

#[test]
fn cat_makes_nothing() {
    let case = Case::new();
    for args in [&["cat", &case.ring()][..], &["cat", "--to", &case.ring()]] {
        let told = case.run(args);
        assert_eq!(told.code, Some(4), "{}", told.err);
    }
}

#[test]
fn cat_ends_quietly_when_nobody_reads_its_output() {
    let case = with_stream();
    let ring = case.ring();
    let (reader, pipe) = case.start_piped(&["cat", &ring]);
    let mut writer = case.start_fed(&["cat", "--to", &ring], Stdio::piped());
    let mut input = writer.stdin();
    drop(pipe);
    input.write_all(b"to nobody").unwrap();
    let read = reader.wait();
    assert_eq!((read.code, &*read.err), (Some(141), ""));
    // Nor does anybody read the stream now; as with SIGPIPE, that shows at the next write.
    let _ = input.write_all(b"nor this");
    let written = writer.wait();
    assert_eq!((written.code, &*written.err), (Some(141), ""));
}

#[test]
fn cat_ends_with_a_killed_writer_as_with_any() {
    let case = with_stream();
    let ring = case.ring();
    let reader = case.start(&["cat", &ring]);
    let mut writer = case.start_fed(&["cat", "--to", &ring], Stdio::piped());
    let mut input = writer.stdin();
    input.write_all(b"all it had").unwrap();
    until(|| reader.written() == 10);
    writer.signal(Signal::SIGKILL);
    writer.wait();
    let read = reader.wait();
    assert_eq!((read.code, &*read.out), (Some(0), &b"all it had"[..]));
}

#[test]
fn cat_can_be_ended_while_it_waits() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        for (role, args) in [("consumer", &["cat"][..]), ("producer", &["cat", "--to"])] {
            let case = with_stream();
            let ring = case.ring();
            let waiting = case.start(&[args, &[&ring]].concat());
            until(|| case.stat()[role]["sleeping"] == 1);
            waiting.signal(signal);
            assert_eq!(waiting.wait().code, Some(code));
        }
    }
}

#[test]
fn cat_to_a_stream_that_is_removed_ends() {
    let case = with_stream();
    let ring = case.ring();
    let waiting = case.start(&["cat", "--to", &ring]);
    until(|| case.stat()["producer"]["sleeping"] == 1);
    assert_eq!(case.run(&["rm", &ring]).code, Some(0));
    assert_eq!(waiting.wait().code, Some(4));
}

/// Pages of one sender and small records of another, as fast as they can.
#[test]
fn two_senders_do_not_tear_each_others_records() {
    const RECORDS: [(u8, usize, usize); 2] = [(b'a', 4096, 600), (b'b', 64, 40_000)];
    let case = Case::new();
    let ring = case.ring();
    let receiver = case.start(&["recv", &ring, "--capacity", "10000"]);
    until(|| case.stat()["consumer"]["sleeping"] == 1);
    let mut senders = RECORDS.map(|_| case.start_fed(&["send", &ring], Stdio::piped()));
    let mut pipes = senders.each_mut().map(Process::stdin);
    // Both are there before either can be done.
    until(|| case.stat()["producer"]["attached"] == 2);
    thread::scope(|scope| {
        for (pipe, (letter, size, count)) in pipes.iter_mut().zip(RECORDS) {
            scope.spawn(move || {
                let record = vec![letter; size];
                (0..count).for_each(|_| pipe.write_all(&record).unwrap());
            });
        }
    });
    drop(pipes);
    for sender in senders {
        let sent = sender.wait();
        assert_eq!(sent.code, Some(0), "{}", sent.err);
    }
    let received = receiver.wait();
    assert_eq!(received.code, Some(0), "{}", received.err);
    let mut counts = BTreeMap::new();
    let mut rest = &*received.out;
    while let Some(letter) = rest.first() {
        let (_, size, _) = RECORDS.iter().find(|record| record.0 == *letter).unwrap();
        let (record, more) = rest.split_at(*size);
        assert!(record.iter().all(|byte| byte == letter), "a record is torn");
        *counts.entry(*letter).or_insert(0) += 1;
        rest = more;
    }
    assert_eq!(
        counts,
        RECORDS.map(|(letter, _, count)| (letter, count)).into()
    );
}

#[test]
fn several_receivers_share_what_comes() {
    let case = Case::new();
    let (ring, data) = (case.ring(), noise(3_000_000));
    let receivers = [(); 3].map(|()| case.start(&["recv", &ring, "--capacity", "64K"]));
    until(|| case.stat()["consumer"]["attached"] == 3);
    let sender = case.start_fed(&["send", &ring], case.input(&data));
    assert_eq!(sender.wait().code, Some(0));
    let mut all = vec![];
    for receiver in receivers {
        let received = receiver.wait();
        assert_eq!(received.code, Some(0), "{}", received.err);
        all.extend(received.out);
    }
    let sorted = |mut bytes: Vec<u8>| {
        bytes.sort_unstable();
        bytes
    };
    assert!(sorted(all) == sorted(data));
    assert!(!case.has_ring());
}

#[test]
fn of_several_senders_a_killed_one_is_told_when_the_last_has_ended() {
    for persist in [false, true] {
        let case = Case::new();
        let ring = case.ring();
        let mut args = vec!["recv", &ring];
        args.extend(persist.then_some("--persist"));
        let receiver = case.start(&args);
        let [mut killed, mut other] =
            [(); 2].map(|()| case.start_fed(&["send", &ring], Stdio::piped()));
        let mut pipes = [killed.stdin(), other.stdin()];
        for pipe in &mut pipes {
            pipe.write_all(b"some").unwrap();
        }
        until(|| receiver.written() == 8);
        killed.signal(Signal::SIGKILL);
        killed.wait();
        pipes[1].write_all(b" more").unwrap();
        until(|| receiver.written() == 13);
        drop(pipes);
        assert_eq!(other.wait().code, Some(0));
        let received = receiver.wait();
        let code = if persist { 0 } else { 3 };
        assert_eq!(received.code, Some(code), "{}", received.err);
        assert_eq!(received.err.contains("the sender died"), !persist);
        assert_eq!(received.out, b"somesome more");
    }
}

/// Also by programs of their own.
#[test]
fn a_program_and_the_command_meet() {
    let case = with_stream();
    let ring = case.ring();
    let reader = case.start(&["cat", &ring]);
    let mut writer = Fifo::open_writer(case.ring()).unwrap();
    writer.write_all(b"from a program").unwrap();
    drop(writer);
    assert_eq!(reader.wait().out, b"from a program");

    let writing = case.start_fed(&["send", &ring], case.input(b"to a program"));
    let mut text = String::new();
    let mut reader = Fifo::open_reader(case.ring()).unwrap();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!((writing.wait().code, &*text), (Some(0), "to a program"));
}

#[test]
fn a_slow_reader_of_the_output_holds_up_nothing_else() {
    let case = with_stream();
    let ring = case.ring();
    let (_pipe, output) = io::pipe().unwrap();
    crate::support::fill(&output);
    let _stuck = case.start_into(&["cat", &ring], output.into());
    let free = case.start(&["cat", &ring]);
    until(|| case.stat()["consumer"]["attached"] == 2);
    let writer = case.start_fed(&["cat", "--to", &ring], case.input(&noise(1_000_000)));
    assert_eq!(writer.wait().code, Some(0));
    assert_eq!(free.wait().out.len(), 1_000_000);
}

fn ended(mut writer: Process, signal: Option<Signal>) {
    match signal {
        Some(signal) => writer.signal(signal),
        None => drop(writer.stdin()),
    }
    writer.wait();
}

/// A reader, and a writer from which it has got something.
fn with_reader(case: &Case, how: &str) -> (Process, Process) {
    let ring = case.ring();
    let reader = case.start(&["cat", how, &ring]);
    let mut writer = case.start_fed(&["cat", "--to", &ring], Stdio::piped());
    let mut input = writer.stdin();
    input.write_all(b"one").unwrap();
    until(|| reader.written() == 3);
    writer.give_back(input);
    (reader, writer)
}

#[test]
fn a_persistent_cat_stays_through_deaths_only() {
    let case = with_stream();
    let (reader, writer) = with_reader(&case, "--persist");
    ended(writer, Some(Signal::SIGKILL));
    let next = case.start_fed(&["cat", "--to", &case.ring()], case.input(b"two"));
    assert_eq!(next.wait().code, Some(0));
    let read = reader.wait();
    assert_eq!((read.code, &*read.out), (Some(0), &b"onetwo"[..]));
}

#[test]
fn a_cat_that_keeps_open_stays_through_everything() {
    for signal in [None, Some(Signal::SIGKILL)] {
        let case = with_stream();
        let (reader, writer) = with_reader(&case, "--keep-open");
        ended(writer, signal);
        let next = case.start_fed(&["cat", "--to", &case.ring()], case.input(b"two"));
        assert_eq!(next.wait().code, Some(0));
        until(|| reader.written() == 6);
        reader.signal(Signal::SIGINT);
        assert_eq!(reader.wait().code, Some(130));
    }
}

#[test]
fn a_cat_with_a_full_output_keeps_no_other_waiting() {
    let case = with_stream();
    let ring = case.ring();
    let (mut output, full) = io::pipe().unwrap();
    fill(&full);
    output.read_exact(&mut [0; 4096]).unwrap(); // so that there is room for a page
    let stuck = case.start_into(&["cat", &ring], full.try_clone().unwrap().into());
    let mut writer = case.start_fed(&["cat", "--to", &ring], Stdio::piped());
    let mut input = writer.stdin();
    input.write_all(&noise(40_000)).unwrap();
    until(|| !has_room(&full));
    let other = case.start(&["cat", &ring]);
    input.write_all(&noise(1_000_000)).unwrap();
    drop(input);
    assert_eq!(writer.wait().code, Some(0));
    let other = other.wait();
    assert_eq!(other.code, Some(0), "{}", other.err);
    assert!(other.out.len() >= 1_000_000);
    drop((output, full));
    stuck.wait();
}

#[test]
fn cats_that_share_an_input_keep_no_other_waiting() {
    let case = with_stream();
    let ring = case.ring();
    let reader = case.start(&["cat", &ring]);
    let (from, mut to) = io::pipe().unwrap();
    let sharing: Vec<_> = (0..3)
        .map(|_| {
            let from = from.try_clone().unwrap();
            case.start_fed(&["cat", "--to", &ring], from.into())
        })
        .collect();
    drop(from);
    let mut lone = case.start_fed(&["cat", "--to", &ring], Stdio::piped());
    let mut input = lone.stdin();
    for n in 1..=200 {
        to.write_all(b"a").unwrap();
        input.write_all(b"b").unwrap();
        until(|| reader.written() == 2 * n);
    }
    drop((to, input));
    for cat in sharing.into_iter().chain([lone]) {
        assert_eq!(cat.wait().code, Some(0));
    }
    assert_eq!(reader.wait().code, Some(0));
}

fn has_room(pipe: &io::PipeWriter) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
}
