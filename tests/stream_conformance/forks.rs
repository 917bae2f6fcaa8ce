//! Ends that a child has too: D2 to D5, C8.

use std::fs::read_to_string;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::unistd::getppid;

use crate::common::{Child, Shared, forked, until, wait_for_the_end};
use crate::differences::{EXEC, FIFO_IN_CHILD, NONBLOCKING_IN_CHILD};
use crate::stage::{call, open_fifo, stream};
use crate::subject::{End, Reads, Subject, Writes, bytes};

cases! {
    a_child_reads_what_its_parent_writes
    a_parent_reads_what_its_child_writes
    a_child_that_keeps_a_write_end_keeps_the_end_away
    a_child_that_keeps_a_read_end_keeps_the_error_away
    a_child_that_closes_its_copy_keeps_nothing_away
    who_keeps_his_own_write_end_is_never_at_the_end
    children_of_children_have_the_ends_too
    a_daemon_keeps_its_ends_when_its_parent_is_gone
    a_call_that_waits_during_a_fork_goes_on
    an_end_that_waits_during_a_fork_is_the_childs_too
    copies_are_inherited_as_well
    the_nonblocking_flag_that_a_child_sets
    a_fifos_ends_in_a_child
    a_fifos_ends_in_a_child_that_is_to_have_them
    a_program_that_is_executed_has_no_ends
    a_program_that_is_spawned_has_no_ends
}

/// A child that has whatever it inherits, and does nothing.
fn idle_child() -> Child {
    let shared = Shared::new();
    let child = forked(|| {
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child
}

/// LTP's pipe10.
fn a_child_reads_what_its_parent_writes<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let shared = Shared::new();
    let child = forked(|| {
        shared.set(0, 1);
        assert_eq!(rx.takes(9), bytes(b"abc"));
    });
    shared.until(0, 1);
    child.until_asleep();
    assert_eq!(tx.writes(b"abc"), Ok(3));
    child.join();
    assert_eq!(rx.unread(), 0);
}

/// LTP's pipe09, with two of them.
fn a_parent_reads_what_its_child_writes<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let children = [(), ()].map(|()| {
        forked(|| {
            for at in 0..1000 {
                assert_eq!(tx.writes(&stream(at, 1)), Ok(1));
            }
        })
    });
    drop(tx);
    let mut n = 0;
    while let Ok(more @ 1..) = rx.reads(64) {
        n += more;
    }
    assert_eq!((n, rx.reads(1)), (2000, Ok(0)));
    children.into_iter().for_each(Child::join);
}

/// The trap.
fn a_child_that_keeps_a_write_end_keeps_the_end_away<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    rx.set_nonblocking(true);
    let child = idle_child();
    assert_eq!(tx.writes(b"x"), Ok(1));
    drop(tx);
    assert_eq!([rx.reads(9), rx.reads(9)], [Ok(1), Err(Errno::EAGAIN)]);
    child.kill();
    assert_eq!(rx.reads(9), Ok(0));
}

fn a_child_that_keeps_a_read_end_keeps_the_error_away<S: Subject>() {
    let (mut tx, rx) = S::pipe();
    let child = idle_child();
    drop(rx);
    assert_eq!(tx.writes(b"x"), Ok(1));
    child.kill();
    assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
}

/// LTP's pipe02 does it so.
fn a_child_that_closes_its_copy_keeps_nothing_away<S: Subject>() {
    let (tx, mut rx) = S::pipe();
    let (mut theirs, shared) = (Some(tx), Shared::new());
    let child = forked(|| {
        drop(theirs.take());
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    rx.set_nonblocking(true);
    assert_eq!(rx.reads(1), Err(Errno::EAGAIN), "the parent's is there");
    drop(theirs);
    assert_eq!(rx.reads(1), Ok(0));
    child.kill();
    assert_eq!(rx.reads(1), Ok(0));
}

fn who_keeps_his_own_write_end_is_never_at_the_end<S: Subject>() {
    let (tx, mut rx) = S::pipe();
    let mut tx = Some(tx);
    let child = forked(|| assert_eq!(tx.as_mut().expect("it is there").writes(b"x"), Ok(1)));
    child.join();
    rx.set_nonblocking(true);
    assert_eq!([rx.reads(9), rx.reads(9)], [Ok(1), Err(Errno::EAGAIN)]);
    drop(tx);
    assert_eq!(rx.reads(9), Ok(0));
}

fn children_of_children_have_the_ends_too<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let child = forked(|| {
        let grandchild = forked(|| assert_eq!(tx.writes(b"grandchild"), Ok(10)));
        grandchild.join();
        assert_eq!(tx.writes(b" child"), Ok(6));
    });
    child.join();
    drop(tx);
    assert_eq!(
        [rx.takes(99), rx.takes(99)],
        [bytes(b"grandchild child"), bytes(b"")]
    );
}

/// daemon(3): its parent ends before it does anything.
fn a_daemon_keeps_its_ends_when_its_parent_is_gone<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let shared = Shared::new();
    let child = forked(|| {
        let parent = nix::unistd::getpid();
        let daemon = forked(|| {
            until(|| getppid() != parent);
            shared.set(0, 1);
            shared.until(1, 1);
            assert_eq!(tx.writes(b"daemon"), Ok(6));
        });
        std::mem::forget(daemon);
    });
    child.join();
    drop(tx);
    shared.until(0, 1);
    rx.set_nonblocking(true);
    assert_eq!(rx.reads(1), Err(Errno::EAGAIN));
    rx.set_nonblocking(false);
    shared.set(1, 1);
    assert_eq!([rx.takes(99), rx.takes(99)], [bytes(b"daemon"), bytes(b"")]);
}

fn a_call_that_waits_during_a_fork_goes_on<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let read = call(move || (rx.takes(9), rx));
    read.until_asleep();
    let child = forked(|| assert_eq!(tx.writes(b"abc"), Ok(3)));
    let (came, mut rx) = read.join();
    assert_eq!(came, bytes(b"abc"));
    child.join();
    drop(tx);
    assert_eq!(rx.reads(1), Ok(0));
}

fn an_end_that_waits_during_a_fork_is_the_childs_too<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let read = call(move || rx.reads(9));
    read.until_asleep();
    let child = idle_child();
    assert_eq!((tx.writes(b"x"), read.join()), (Ok(1), Ok(1)));
    assert_eq!(tx.writes(b"x"), Ok(1), "the child has a reader");
    child.kill();
    assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
}

fn copies_are_inherited_as_well<S: Subject>() {
    let (tx, mut rx) = S::pipe();
    let other = tx.twin();
    let (mut theirs, shared) = (Some(tx), Shared::new());
    let child = forked(|| {
        drop(theirs.take());
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    drop((theirs, other));
    rx.set_nonblocking(true);
    assert_eq!(rx.reads(1), Err(Errno::EAGAIN), "the child has the copy");
    child.kill();
    assert_eq!(rx.reads(1), Ok(0));
}

fn the_nonblocking_flag_that_a_child_sets<S: Subject>() {
    let (tx, rx) = S::pipe();
    tx.set_nonblocking(true);
    let child = forked(|| {
        assert!(tx.is_nonblocking(), "it was set before");
        rx.set_nonblocking(true);
    });
    child.join();
    let expected = NONBLOCKING_IN_CHILD.expected::<S, _>(true, false);
    assert_eq!(rx.is_nonblocking(), expected);
}

fn a_fifos_ends_in_a_child<S: Subject>() {
    let (_, mut tx, mut rx) = open_fifo::<S>();
    rx.set_nonblocking(true);
    let child = idle_child();
    assert_eq!((tx.writes(b"x"), rx.reads(1)), (Ok(1), Ok(1)));
    drop(tx);
    let expected = FIFO_IN_CHILD.expected::<S, _>(Err(Errno::EAGAIN), Ok(0));
    assert_eq!(rx.reads(1), expected);
    child.kill();
    assert_eq!(rx.reads(1), Ok(0));
}

fn a_fifos_ends_in_a_child_that_is_to_have_them<S: Subject>() {
    let (_, mut tx, mut rx) = open_fifo::<S>();
    tx.set_inheritable(true);
    rx.set_inheritable(true);
    let shared = Shared::new();
    let child = forked(|| {
        assert_eq!((tx.writes(b"x"), rx.reads(1)), (Ok(1), Ok(1)));
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    drop(tx);
    rx.set_nonblocking(true);
    assert_eq!(rx.reads(1), Err(Errno::EAGAIN));
    child.kill();
    assert_eq!(rx.reads(1), Ok(0));
}

/// LTP's `pipe2_02`.
fn a_program_that_is_executed_has_no_ends<S: Subject>() {
    let (tx, mut rx) = S::pipe();
    rx.set_nonblocking(true);
    let child = forked(|| {
        let error = Command::new("sleep").arg("1000").exec();
        panic!("{error}");
    });
    drop(tx);
    let program = format!("/proc/{}/comm", child.pid());
    until(|| read_to_string(&program).is_ok_and(|name| name == "sleep\n"));
    child.until_asleep(); // its ends are closed on the way into the program
    let expected = EXEC.expected::<S, _>(Ok(0), Err(Errno::EAGAIN));
    assert_eq!(rx.reads(1), expected);
    child.kill();
    assert_eq!(rx.reads(1), Ok(0));
}

fn a_program_that_is_spawned_has_no_ends<S: Subject>() {
    let (tx, mut rx) = S::pipe();
    let mut program = Command::new("sleep").arg("1000").spawn().unwrap();
    drop(tx);
    assert_eq!(rx.reads(1), Ok(0));
    program.kill().unwrap();
    program.wait().unwrap();
}
