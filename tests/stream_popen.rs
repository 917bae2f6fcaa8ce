//! Commands with their input or output in a stream.
#![allow(missing_docs)]

mod common;

use std::io::{BufRead, ErrorKind, Read, Write};
use std::process::Command;
use std::thread;

use common::{until, watched};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringpipe::stream::{Fifo, Popen, pipe};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn what_a_command_says_can_be_read_and_its_status_is_told() {
    let (_place, _watchdog) = watched("what_a_command_says_can_be_read_and_its_status_is_told");
    let mut popen = Popen::reading(&mut shell("seq 1 100000; exit 7")).unwrap();
    let lines: Vec<u64> = popen
        .by_ref()
        .lines()
        .map(|line| line.unwrap().parse().unwrap())
        .collect();
    assert!(lines.into_iter().eq(1..=100_000));
    assert_eq!(popen.close().unwrap().code(), Some(7));
}

#[test]
fn what_is_written_reaches_a_command() {
    let (_place, _watchdog) = watched("what_is_written_reaches_a_command");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut command = shell("cat > \"$0\"");
    let mut popen = Popen::writing(command.arg(&path)).unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761) as u8)
        .collect();
    popen.write_all(&bytes).unwrap();
    assert!(popen.close().unwrap().success());
    assert_eq!(std::fs::read(path).unwrap(), bytes);
}

#[test]
fn a_command_that_nobody_reads_is_told_so() {
    let (_place, _watchdog) = watched("a_command_that_nobody_reads_is_told_so");
    let mut popen = Popen::reading(&mut Command::new("yes")).unwrap();
    let mut some = [0; 4];
    popen.read_exact(&mut some).unwrap();
    assert_eq!(&some, b"y\ny\n");
    assert!(!popen.close().unwrap().success(), "SIGPIPE, or EPIPE");
}

#[test]
fn a_command_that_has_ended_takes_nothing() {
    let (_place, _watchdog) = watched("a_command_that_has_ended_takes_nothing");
    let mut popen = Popen::writing(&mut shell("exec <&-; exit 3")).unwrap();
    let error = loop {
        if let Err(error) = popen.write(&[0; 100]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(popen.close().unwrap().code(), Some(3));
}

#[test]
fn a_command_that_is_not_there_is_an_error() {
    let mut nothing = Command::new("/nowhere/at/all");
    assert_eq!(
        Popen::reading(&mut nothing).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let (_writer, reader) = pipe().unwrap();
    assert!(Popen::feeding(&mut nothing, reader).is_err());
}

#[test]
fn commands_are_chained_by_streams_that_others_could_open() {
    let (_place, _watchdog) = watched("commands_are_chained_by_streams_that_others_could_open");
    let fifo = Fifo::create(ringpipe::Name::Private).unwrap();
    let (writer, reader) = fifo.both().unwrap();
    let first = Popen::draining(&mut shell("seq 1 1000"), writer).unwrap();
    let mut second = shell("test $(wc -l) = 1000");
    let second = Popen::feeding(&mut second, reader).unwrap();
    assert!(first.close().unwrap().success());
    assert!(second.close().unwrap().success());
}

#[test]
fn a_killed_command_is_the_end_of_file() {
    let (_place, _watchdog) = watched("a_killed_command_is_the_end_of_file");
    let mut popen = Popen::reading(&mut shell("echo on; exec sleep 1000")).unwrap();
    let mut line = String::new();
    popen.read_line(&mut line).unwrap();
    assert_eq!(line, "on\n");
    let killer = thread::spawn({
        let pid = nix::unistd::Pid::from_raw(popen.id() as i32);
        move || nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap()
    });
    assert_eq!(popen.read_line(&mut line).unwrap(), 0);
    killer.join().unwrap();
    assert!(!popen.close().unwrap().success());
}

/// Ends the process of that number, whatever happens.
struct Ended(Pid);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL); // it may have ended
    }
}

/// What the shell has left behind, by the number that it has said first.
fn left_behind(line: &str) -> Ended {
    Ended(Pid::from_raw(line.trim().parse().unwrap()))
}

#[test]
fn close_waits_for_the_command_and_not_for_its_children() {
    let (_place, _watchdog) = watched("close_waits_for_the_command_and_not_for_its_children");
    let mut popen = Popen::reading(&mut shell("sleep 1000 & echo $!; exit 4")).unwrap();
    let mut line = String::new();
    popen.read_line(&mut line).unwrap();
    let _sleep = left_behind(&line);
    assert_eq!(popen.close().unwrap().code(), Some(4));
}

#[test]
fn all_that_a_command_said_is_there_when_it_is_closed() {
    let (_place, _watchdog) = watched("all_that_a_command_said_is_there_when_it_is_closed");
    for _ in 0..20 {
        let (writer, mut reader) = pipe().unwrap();
        let mut command = shell("sleep 1000 & echo $!; seq 1 9000"); // less than a pipe holds
        let popen = Popen::draining(&mut command, writer).unwrap();
        assert!(popen.close().unwrap().success());
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        let _sleep = left_behind(first);
        let lines = rest.lines().map(|line| line.parse::<u64>().unwrap());
        assert!(lines.eq(1..=9000), "and then the end");
    }
}

#[test]
fn close_does_not_wait_for_who_takes_no_input() {
    let (_place, _watchdog) = watched("close_does_not_wait_for_who_takes_no_input");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let mut command = shell("exec 3<&0; sleep 1000 <&3 & echo $! > \"$0\"");
    let mut popen = Popen::writing(command.arg(&path)).unwrap();
    popen.write_all(&[1; 200_000]).unwrap(); // more than fits in its pipe
    assert!(popen.close().unwrap().success());
    let _sleep = left_behind(&std::fs::read_to_string(path).unwrap());
}

/// Nothing comes from the stream that could be refused.
#[test]
fn close_does_not_wait_for_a_stream_that_is_idle() {
    let (_place, _watchdog) = watched("close_does_not_wait_for_a_stream_that_is_idle");
    let (mut writer, reader) = pipe().unwrap();
    let popen = Popen::feeding(&mut shell("exit 5"), reader).unwrap();
    assert_eq!(popen.close().unwrap().code(), Some(5));
    until(|| writer.write(b"to nobody").is_err());
}

#[test]
fn a_command_is_fed_to_the_end_after_it_was_closed() {
    let (_place, _watchdog) = watched("a_command_is_fed_to_the_end_after_it_was_closed");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut command = shell("exec 3<&0; cat <&3 > \"$0\" &");
    let mut popen = Popen::writing(command.arg(&path)).unwrap();
    popen.write_all(&[1; 200_000]).unwrap();
    assert!(popen.close().unwrap().success());
    until(|| std::fs::metadata(&path).is_ok_and(|file| file.len() == 200_000));
}
