//! Standard input and output that are closed, as `<&-` and `>&-` have them.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::{Case, Outcome, PROGRAM, Process, until};

const RECORDS: [&str; 3] = ["--mpmc", "--record", "8"];

/// Starts it as a shell does, with the redirection.
fn redirected(case: &Case, args: &[&str], redirection: &str) -> Process {
    let mut command = Command::new("sh");
    let script = format!("exec \"$@\" {redirection}");
    command.args(["-c", &script, "sh", PROGRAM]).args(args);
    case.start_with(command)
}

#[track_caller]
fn expect_closed(told: &Outcome, which: &str) {
    assert_eq!(told.code, Some(1), "{}", told.err);
    let why = format!("standard {which}: Bad file descriptor");
    assert!(told.err.contains(&why), "{}", told.err);
}

#[test]
fn a_closed_input_is_an_error_and_not_an_empty_one() {
    let case = Case::new();
    let ring = case.ring();
    let records = [&["send", &ring][..], &RECORDS].concat();
    for args in [&["send", &ring][..], &records] {
        expect_closed(&redirected(&case, args, "<&-").wait(), "input");
        assert!(!case.has_ring());
    }
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
    let told = redirected(&case, &["cat", "--to", &ring], "<&-").wait();
    expect_closed(&told, "input");
}

#[test]
fn a_closed_output_takes_nothing_out() {
    let case = Case::new();
    let ring = case.ring();
    let sender = case.start_fed(&["send", &ring], case.input(b"content"));
    until(|| case.stat()["producer"]["sleeping"] == 1);
    for args in [["recv", &ring], ["cat", &ring]] {
        expect_closed(&redirected(&case, &args, ">&-").wait(), "output");
    }
    let received = case.run(&["recv", &ring]);
    assert_eq!((received.code, &*received.out), (Some(0), &b"content"[..]));
    assert_eq!(sender.wait().code, Some(0));
    let sent = case.start_fed(
        &[&["send", &ring][..], &RECORDS].concat(),
        case.input(b"a record"),
    );
    assert_eq!(sent.wait().code, Some(0));
    let args = [&["recv", &ring][..], &RECORDS].concat();
    expect_closed(&redirected(&case, &args, ">&-").wait(), "output");
    assert_eq!(case.run(&args).out, b"a record");
}

#[test]
fn dev_null_is_an_input_and_an_output() {
    let case = Case::new();
    let ring = case.ring();
    let receiver = redirected(&case, &["recv", &ring], "> /dev/null");
    let sent = redirected(&case, &["send", &ring], "< /dev/null").wait();
    assert_eq!((sent.code, receiver.wait().code), (Some(0), Some(0)));
    // Whatever was closed besides.
    let receiver = redirected(&case, &["recv", &ring], "<&-");
    fs::write(case.path("text"), "text").unwrap();
    let input = format!("< '{}' >&-", case.path("text"));
    assert_eq!(
        redirected(&case, &["send", &ring], &input).wait().code,
        Some(0)
    );
    assert_eq!(receiver.wait().out, b"text");
}

#[test]
fn sigpipe_ends_what_moves_bytes_as_it_ends_cat() {
    let case = Case::new();
    let ring = case.ring();
    let receiver = case.start(&["recv", &ring]);
    let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
    let mut pipe = sender.stdin();
    pipe.write_all(b"begun").unwrap();
    until(|| receiver.written() == 5);
    for process in [receiver, sender] {
        process.signal(Signal::SIGPIPE);
        assert_eq!(process.wait().code, Some(141));
    }
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
    let reader = case.start(&["cat", &ring]);
    until(|| case.stat()["consumer"]["sleeping"] == 1);
    reader.signal(Signal::SIGPIPE);
    assert_eq!(reader.wait().code, Some(141));
}
