//! `send --mpmc` and `recv --mpmc`: each record goes to one of several receivers, whoever is killed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{ChildStdin, Stdio};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Case, Outcome, Process, until};

const SHARED: [&str; 3] = ["--mpmc", "--record", "32"];

/// The arguments of a command on the test's ring, with more of them.
fn args<'a>(command: &'a str, ring: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[command, ring][..], &SHARED, more].concat()
}

fn start(case: &Case, command: &str, more: &[&str]) -> Process {
    case.start(&args(command, &case.ring(), more))
}

/// A sender, and the way to feed it.
fn start_sender(case: &Case, more: &[&str]) -> (Process, ChildStdin) {
    let ring = case.ring();
    let mut sender = case.start_fed(&args("send", &ring, more), Stdio::piped());
    let pipe = sender.stdin();
    (sender, pipe)
}

/// Sends that from beginning to end.
fn send(case: &Case, bytes: &[u8], more: &[&str]) -> Outcome {
    let path = case.folder().join("records");
    fs::write(&path, bytes).unwrap();
    let input = File::open(path).unwrap();
    case.start_fed(&args("send", &case.ring(), more), input.into())
        .wait()
}

fn record(number: usize) -> String {
    format!("{number:031}\n")
}

fn records(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.map(record).collect::<String>().into_bytes()
}

/// How often each number is among records.
fn count(records: &[u8]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for record in records.chunks(32) {
        let text = std::str::from_utf8(record).unwrap();
        let number = text.strip_suffix('\n').unwrap().parse().unwrap();
        *counts.entry(number).or_default() += 1;
    }
    counts
}

/// Whether the records of each sender, told apart by their numbers, come in the order in which it sent them.
fn in_order(records: &[u8], each: usize) -> bool {
    let numbers = records.chunks(32).map(|record| {
        let text = std::str::from_utf8(record).unwrap();
        text.trim_end().parse::<usize>().unwrap()
    });
    let (first, second): (Vec<_>, Vec<_>) = numbers.partition(|number| *number < each);
    first.is_sorted() && second.is_sorted()
}

/// How many of that role sleep.
fn asleep(case: &Case, role: &str) -> usize {
    let stat = case.stat();
    let all = stat["participants"].as_array();
    let asleep = |one: &&Value| one["role"] == role && one["sleeping"] == true;
    all.map_or(0, |all| all.iter().filter(asleep).count())
}

fn attached(case: &Case, role: &str) -> u64 {
    case.stat()[role]["attached"].as_u64().unwrap_or(0)
}

#[test]
fn what_two_send_three_receive_each_record_once() {
    const EACH: usize = 30_000;
    let case = Case::new();
    let small = ["--capacity", "16K"];
    let receivers: Vec<_> = (0..3).map(|_| start(&case, "recv", &small)).collect();
    until(|| attached(&case, "consumer") == 3);
    let senders: Vec<_> = (0..2).map(|_| start_sender(&case, &[])).collect();
    until(|| attached(&case, "producer") == 2);
    let feeders: Vec<_> = (senders.into_iter().enumerate())
        .map(|(n, (sender, mut pipe))| {
            let feeder = thread::spawn(move || {
                pipe.write_all(&records(n * EACH..(n + 1) * EACH)).unwrap();
            });
            (feeder, sender)
        })
        .collect();
    for (feeder, sender) in feeders {
        feeder.join().unwrap();
        let sent = sender.wait();
        assert_eq!((sent.code, &*sent.err), (Some(0), ""));
    }
    let mut all = vec![];
    for receiver in receivers {
        let received = receiver.wait();
        assert_eq!((received.code, &*received.err), (Some(0), ""));
        assert!(in_order(&received.out, EACH));
        all.extend(received.out);
    }
    let counts = count(&all);
    assert_eq!(counts.len(), 2 * EACH);
    assert!(counts.values().all(|count| *count == 1));
    assert!(!case.has_ring());
}

#[test]
fn what_a_killed_receiver_has_not_written_another_writes() {
    const ALL: usize = 20_000;
    let case = Case::new();
    let ring = case.ring();
    // The first one's output is not read: it is stuck with records in hand.
    let (stuck, mut pipe) = case.start_piped(&args("recv", &ring, &["--capacity", "64K"]));
    until(|| attached(&case, "consumer") == 1);
    let (sender, mut input) = start_sender(&case, &[]);
    let feeder = thread::spawn(move || input.write_all(&records(0..ALL)).unwrap());
    until(|| asleep(&case, "producer") == 1 && case.stat()["consumed"].as_u64() > Some(2000));
    let other = start(&case, "recv", &[]);
    until(|| other.written() > 0);
    stuck.signal(Signal::SIGKILL);
    assert_eq!(stuck.wait().code, None);
    feeder.join().unwrap();
    assert_eq!(sender.wait().code, Some(0));
    let received = other.wait();
    assert_eq!((received.code, &*received.err), (Some(0), ""));

    let mut written = vec![];
    pipe.read_to_end(&mut written).unwrap();
    let both = count(&[written, received.out].concat());
    assert_eq!(both.len(), ALL, "nothing is lost");
    // At most what it had in hand comes twice.
    assert!(both.values().sum::<usize>() <= ALL + 4096 / 32);
    assert!(!case.has_ring());
}

#[test]
fn a_receiver_that_is_told_to_end_puts_back_what_it_has() {
    const ALL: usize = 10_000;
    let case = Case::new();
    let ring = case.ring();
    let sent = send(&case, &records(0..ALL), &[]);
    assert_eq!(sent.code, Some(0), "{}", sent.err);
    let (first, mut pipe) = case.start_piped(&args("recv", &ring, &[]));
    until(|| first.sleeps() && case.stat()["consumed"].as_u64() > Some(2000));
    first.signal(Signal::SIGTERM);
    let first = first.wait();
    assert_eq!(first.code, Some(143));
    assert!(first.err.contains("the ring stays"), "{}", first.err);
    let mut written = vec![];
    pipe.read_to_end(&mut written).unwrap();
    let told = format!("{} records were received", written.len() / 32);
    assert!(first.err.contains(&told), "{}", first.err);
    let rest = start(&case, "recv", &[]).wait();
    assert_eq!(rest.code, Some(0), "{}", rest.err);
    let both = count(&[written, rest.out].concat());
    assert_eq!((both.len(), both.values().sum()), (ALL, ALL));
}

#[test]
fn a_killed_sender_is_noticed_though_another_finishes() {
    let case = Case::new();
    let receivers = [start(&case, "recv", &[]), start(&case, "recv", &[])];
    let (killed, mut pipe) = start_sender(&case, &[]);
    pipe.write_all(&records(0..10)).unwrap();
    let (other, mut rest) = start_sender(&case, &[]);
    until(|| attached(&case, "producer") == 2 && case.stat()["produced"] == 10);
    killed.signal(Signal::SIGKILL);
    killed.wait();
    rest.write_all(&records(10..20)).unwrap();
    drop(rest);
    assert_eq!(other.wait().code, Some(0));
    let mut all = vec![];
    for receiver in receivers {
        let received = receiver.wait();
        assert_eq!(received.code, Some(3), "{}", received.err);
        assert!(received.err.contains("a sender died"), "{}", received.err);
        all.extend(received.out);
    }
    assert_eq!(count(&all).len(), 20);
    assert_eq!(case.stat()["producer"]["deaths"], 1);
}

#[test]
fn a_persistent_receiver_waits_for_a_sender_that_finishes() {
    let case = Case::new();
    let receiver = start(&case, "recv", &["--persist"]);
    let (killed, mut pipe) = start_sender(&case, &[]);
    pipe.write_all(&records(0..10)).unwrap();
    until(|| receiver.written() == 320);
    killed.signal(Signal::SIGKILL);
    killed.wait();
    assert_eq!(send(&case, &records(10..20), &[]).code, Some(0));
    let received = receiver.wait();
    assert_eq!(received.code, Some(0), "{}", received.err);
    assert_eq!(received.out, records(0..20));
    assert!(!case.has_ring());
}

#[test]
fn a_sender_without_receivers_ends_unless_it_is_persistent() {
    let case = Case::new();
    let ring = case.ring();
    let small = ["--capacity", "1K"];
    let (patient, _pipe) = case.start_piped(&args("recv", &ring, &small));
    until(|| attached(&case, "consumer") == 1);
    let (sender, mut input) = start_sender(&case, &[]);
    let (persistent, mut other) = start_sender(&case, &["--persist"]);
    until(|| attached(&case, "producer") == 2);
    let feeders = [
        thread::spawn(move || drop(input.write_all(&records(0..20_000)))),
        thread::spawn(move || other.write_all(&records(20_000..30_000)).unwrap()),
    ];
    until(|| asleep(&case, "producer") == 2);
    patient.signal(Signal::SIGKILL);
    patient.wait();
    let sent = sender.wait();
    assert_eq!(sent.code, Some(3), "{}", sent.err);
    assert!(sent.err.contains("all receivers are gone"), "{}", sent.err);
    let rest = start(&case, "recv", &[]).wait();
    assert_eq!(rest.code, Some(3), "one has given up: {}", rest.err);
    assert_eq!(persistent.wait().code, Some(0));
    for feeder in feeders {
        feeder.join().unwrap();
    }
    let last = count(&rest.out).into_keys().next_back();
    assert_eq!(last, Some(29_999));
}

#[test]
fn an_input_that_ends_within_a_record_is_padded_or_refused() {
    let case = Case::new();
    let input = [records(0..2), b"rest".to_vec()].concat();
    let sent = send(&case, &input, &[]);
    assert_eq!(sent.code, Some(1));
    let told = "the input ends after 4 bytes of a record of 32";
    assert!(sent.err.contains(told), "{}", sent.err);
    assert!(sent.err.contains("2 records were sent"), "{}", sent.err);
    let received = start(&case, "recv", &[]).wait();
    assert_eq!((received.code, received.out), (Some(3), records(0..2)));
    assert_eq!(case.run(&["rm", &case.ring()]).code, Some(0));

    assert_eq!(send(&case, &input, &["--pad"]).code, Some(0));
    let received = start(&case, "recv", &[]).wait();
    let padded = [input, vec![0; 28]].concat();
    assert_eq!((received.code, received.out), (Some(0), padded));
}

#[test]
fn any_size_that_is_offered_works_also_in_a_ring_of_one() {
    let case = Case::new();
    let ring = case.ring();
    for size in ["8", "4096", "64K"] {
        let input: Vec<_> = (0..3 * 65_536_u32).map(|n| n as u8).collect();
        let more = ["--mpmc", "--record", size, "--capacity", size];
        let send = [&["send", &ring][..], &more].concat();
        let sender = case.start_fed(&send, case.input(&input));
        let received = case.run(&[&["recv", &ring][..], &more].concat());
        assert_eq!((received.code, &*received.err), (Some(0), ""));
        assert!(received.out == input);
        assert_eq!(sender.wait().code, Some(0));
    }
}

#[test]
fn keep_leaves_the_ring_to_later_receivers() {
    let case = Case::new();
    assert_eq!(send(&case, &records(0..3), &[]).code, Some(0));
    let received = start(&case, "recv", &["--keep"]).wait();
    assert_eq!((received.code, received.out), (Some(0), records(0..3)));
    let late = start(&case, "recv", &["--keep"]).wait();
    assert_eq!((late.code, late.out), (Some(0), vec![]));
    assert!(case.has_ring());
}

#[test]
fn a_ring_of_another_make_is_8_and_told_apart() {
    let case = Case::new();
    let ring = case.ring();
    assert_eq!(send(&case, &[], &[]).code, Some(0));
    let refused = |args: &[&str], why: &str| {
        let told = case.run(args);
        assert_eq!(told.code, Some(8), "{}", told.err);
        assert!(told.err.contains(why), "{}", told.err);
    };
    let other = ["recv", &ring, "--mpmc", "--record", "64"];
    refused(&other, "an item's size in bytes");
    refused(&other, "32");
    refused(&["recv", &ring], "mpmc");
    assert_eq!(case.run(&["rm", &ring]).code, Some(0));
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
    refused(&other, "stream");
}

#[test]
fn stat_and_ls_show_who_shares_a_ring() {
    let case = Case::new();
    let ring = case.ring();
    let receivers = [start(&case, "recv", &[]), start(&case, "recv", &[])];
    let (sender, mut pipe) = start_sender(&case, &[]);
    pipe.write_all(&records(0..100)).unwrap();
    let stat = || case.stat();
    until(|| asleep(&case, "consumer") == 2 && stat()["consumed"] == 100);
    let stat = stat();
    assert_eq!(
        (&stat["kind"], &stat["participant_limit"]),
        (&json!("mpmc"), &json!(64))
    );
    assert_eq!(stat["dead_consumer"], "redeliver");
    assert_eq!(stat["tallies"]["recovered"], 0);
    assert_eq!(
        (&stat["consumer"]["attached"], &stat["consumer"]["pid"]),
        (&json!(2), &json!(null))
    );
    assert_eq!(stat["producer"]["pid"], sender.pid());
    let all = stat["participants"].as_array().unwrap();
    let by = |process: &Process| all.iter().find(|one| one["pid"] == process.pid()).unwrap();
    let one = by(&sender);
    assert_eq!(
        (&one["role"], &one["moved"]),
        (&json!("producer"), &json!(100))
    );
    assert_eq!(
        (&one["alive"], &one["command"]),
        (&json!(true), &json!("ringpipe"))
    );
    let moved = |process| by(process)["moved"].as_u64().unwrap();
    assert_eq!(receivers.iter().map(moved).sum::<u64>(), 100);

    let text = |args: &[&str]| String::from_utf8(case.run(args).out).unwrap();
    let shown = text(&["stat", &ring]);
    assert!(shown.contains("NUMBER  ROLE"), "{shown}");
    assert!(shown.contains("3 of at most 64"), "{shown}");
    let list = text(&["ls"]);
    let line = list.lines().find(|line| line.ends_with(&ring)).unwrap();
    let cells: Vec<_> = line.split_whitespace().collect();
    assert_eq!((cells[7], cells[8]), ("1", "2"), "{list}");

    drop(pipe);
    assert_eq!(sender.wait().code, Some(0));
    for receiver in receivers {
        assert_eq!(receiver.wait().code, Some(0));
    }
}

/// Receivers that remove the ring race with senders that open it.
#[test]
fn no_record_is_pushed_into_a_ring_that_is_being_removed() {
    const FEEDS: usize = 60;
    let case = Case::new();
    let mut all = vec![];
    thread::scope(|scope| {
        scope.spawn(|| {
            for feed in 0..FEEDS {
                let sent = send(&case, &records(feed..feed + 1), &[]);
                assert_eq!(sent.code, Some(0), "{}", sent.err);
            }
        });
        while all.len() < FEEDS * 32 {
            let received = start(&case, "recv", &[]).wait();
            assert_eq!(received.code, Some(0), "{}", received.err);
            all.extend(received.out);
        }
    });
    assert_eq!(all, records(0..FEEDS));
}

#[test]
fn a_ring_into_which_nothing_was_sent_is_not_left() {
    let Some(case) = Case::isolated() else { return };
    let ring = case.ring();
    let records = ["--mpmc", "--record", "8"];
    for (command, role) in [("send", "producer"), ("recv", "consumer")] {
        for keep in [false, true] {
            let mut args = [&[command, &ring][..], &records].concat();
            args.extend(keep.then_some("--keep"));
            let mut waiting = case.start_fed(&args, Stdio::piped());
            let _open = waiting.stdin();
            until(|| case.stat()[role]["attached"] == 1);
            waiting.signal(Signal::SIGTERM);
            assert_eq!(waiting.wait().code, Some(143));
            assert_eq!(case.has_ring(), keep);
            case.run(&["rm", &ring]);
        }
    }
}
