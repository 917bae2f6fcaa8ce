//! `chat`: two find each other, talk, and leave nothing behind, however they end.

use std::fs;
use std::io::Write;
use std::process::{ChildStdin, Stdio};

use nix::sys::signal::Signal;

use crate::support::{Case, Process, until};

/// Somebody at a terminal.
struct Person {
    process: Process,
    terminal: ChildStdin,
}

impl Person {
    fn come(case: &Case) -> Self {
        let mut process = case.start_fed(&["chat", &case.ring()], Stdio::piped());
        let terminal = process.stdin();
        Self { process, terminal }
    }

    fn says(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    fn hears(&self, text: &str) {
        until(|| self.process.output() == text.as_bytes());
    }

    fn is_told(&self, text: &str) {
        until(|| self.process.said().contains(text));
    }

    fn dies(self) {
        self.process.signal(Signal::SIGKILL);
        self.process.wait();
    }

    /// What it is told when its input goes on.
    fn ends(self) -> String {
        let end = self.process.wait();
        assert_eq!(end.code, Some(0), "{}", end.err);
        end.err
    }
}

fn pair(case: &Case) -> [Person; 2] {
    let host = Person::come(case);
    host.is_told("waiting for somebody");
    let guest = Person::come(case);
    host.is_told("connected");
    guest.is_told("connected");
    [host, guest]
}

fn assert_cleared(case: &Case) {
    let back = case.path("ring.back");
    assert!(!case.has_ring() && !fs::exists(back).unwrap());
}

#[test]
fn lines_go_both_ways_until_one_side_leaves() {
    for leaver in [0, 1] {
        let case = Case::new();
        let [mut host, mut guest] = pair(&case);
        guest.says("hello\nwho is ");
        host.hears("hello\n");
        guest.says("there?\n");
        host.hears("hello\nwho is there?\n");
        host.says("me\n");
        guest.hears("me\n");
        let mut people = [host, guest];
        people[leaver].says("bye");
        let [host, guest] = people;
        let (leaves, stays) = if leaver == 0 {
            (host, guest)
        } else {
            (guest, host)
        };
        drop(leaves.terminal);
        stays.is_told("the other side has left");
        assert!(stays.process.output().ends_with(b"\nbye\n"));
        assert!(!stays.ends().contains("failed"));
        let left = leaves.process.wait();
        assert_eq!(left.code, Some(0), "{}", left.err);
        assert!(!left.err.contains("has left"), "{}", left.err);
        assert_cleared(&case);
    }
}

#[test]
fn a_third_is_refused() {
    let case = Case::new();
    let [mut host, guest] = pair(&case);
    let third = case.run(&["chat", &case.ring()]);
    assert_eq!(third.code, Some(5), "{}", third.err);
    let told = format!("two are talking at {} already", case.ring());
    assert!(third.err.contains(&told), "{}", third.err);
    host.says("still here\n");
    guest.hears("still here\n");
}

#[test]
fn who_is_left_by_a_killed_one_clears_up() {
    for killed in [0, 1] {
        let case = Case::new();
        let mut people = Vec::from(pair(&case));
        people[killed].says("my last words\n");
        people[1 - killed].hears("my last words\n");
        people.swap_remove(killed).dies();
        let told = people.remove(0).ends();
        assert!(told.contains("the other side has left"), "{told}");
        assert_cleared(&case);
    }
}

#[test]
fn where_both_were_killed_the_next_two_start_anew() {
    let case = Case::new();
    let [mut host, mut guest] = pair(&case);
    host.process.signal(Signal::SIGSTOP);
    guest.says("never heard\n");
    guest.process.signal(Signal::SIGSTOP);
    host.says("nor this\n");
    host.dies();
    guest.dies();
    assert!(case.has_ring());

    let [mut host, mut guest] = pair(&case);
    host.says("new\n");
    guest.says("new\n");
    host.hears("new\n");
    guest.hears("new\n");
    drop(host.terminal);
    guest.ends();
    assert_eq!(host.process.wait().code, Some(0));
    assert_cleared(&case);
}

#[test]
fn a_killed_host_leaves_the_place_to_the_next() {
    let case = Case::new();
    let host = Person::come(&case);
    host.is_told("waiting for somebody");
    host.dies();
    for person in pair(&case) {
        person.process.signal(Signal::SIGTERM); // a killed one leaves its semaphores to `gc`
        person.process.wait();
    }
}

#[test]
fn two_who_come_at_once_find_each_other() {
    for _ in 0..10 {
        let case = Case::new();
        let mut both = [Person::come(&case), Person::come(&case)];
        both[0].says("a\n");
        both[1].says("b\n");
        both[0].hears("b\n");
        both[1].hears("a\n");
    }
}

#[test]
fn who_waits_for_somebody_can_be_ended_and_leaves_nothing() {
    let case = Case::new();
    let host = Person::come(&case);
    host.is_told("waiting for somebody");
    host.process.signal(Signal::SIGTERM);
    assert_eq!(host.process.wait().code, Some(143));
    assert_cleared(&case);
}

#[test]
fn who_talks_can_be_ended_and_the_other_side_is_told() {
    let case = Case::new();
    let [host, guest] = pair(&case);
    guest.process.signal(Signal::SIGINT);
    assert_eq!(guest.process.wait().code, Some(130));
    assert!(host.ends().contains("the other side has left"));
    assert_cleared(&case);
}

#[test]
fn nobody_steers_the_terminal_of_another() {
    let case = Case::new();
    let [mut host, guest] = pair(&case);
    host.says("a\tb \u{1b}[2J ä\n\u{5}\n");
    host.says("end\n");
    guest.hears("a\tb \\u{1b}[2J ä\nend\n");
}

#[test]
fn a_stream_for_something_else_is_left_alone() {
    let case = Case::new();
    assert_eq!(case.run(&["mkfifo", &case.ring()]).code, Some(0));
    let told = case.run(&["chat", &case.ring()]);
    assert_eq!(told.code, Some(8), "{}", told.err);
    assert!(told.err.contains("the type name"), "{}", told.err);
    assert!(case.has_ring());
}
