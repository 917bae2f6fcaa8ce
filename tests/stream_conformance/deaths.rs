//! Processes that end without closing anything: R5, R9, W4, W13.

use std::mem::forget;
use std::process;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::common::dice::Dice;
use crate::common::{Child, Shared, forked, until, wait_for_the_end};
use crate::stage::{Call, call, fifo, fill, open_fifo, path, stream};
use crate::subject::{End, Fifo, Reads, Subject, Writes, bytes, opened};

cases! {
    a_write_fails_as_soon_as_the_reader_was_killed
    a_write_into_a_fifo_fails_as_soon_as_the_reader_was_killed
    the_end_is_there_as_soon_as_the_writer_was_killed
    the_end_of_a_fifo_is_there_as_soon_as_the_writer_was_killed
    a_process_that_exits_closes_its_ends
    waiting_reads_end_when_the_writer_is_killed
    waiting_writes_end_when_the_reader_is_killed
    a_reader_killed_while_it_waits_is_gone
    a_writer_killed_while_it_waits_leaves_what_it_wrote
    a_writer_killed_while_an_atomic_write_waits_leaves_nothing_of_it
    writers_killed_anywhere_leave_whole_records
    readers_killed_anywhere_stop_nobody
    a_stopped_process_has_its_ends
    what_was_in_a_fifo_is_gone_with_all_who_were_killed
    openers_that_are_killed_are_gone
    others_go_on_when_one_of_many_is_killed
}

/// Once for each way of a race that may be lost.
const ROUNDS: usize = 200;

/// A child that does that with what it inherits, and then nothing until it is killed.
fn doing(work: impl FnOnce()) -> Child {
    let shared = Shared::with(1);
    let child = forked(|| {
        work();
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child
}

fn a_write_fails_as_soon_as_the_reader_was_killed<S: Subject>() {
    for _ in 0..ROUNDS {
        let (mut tx, mut rx) = S::pipe();
        assert_eq!(tx.writes(b"abc"), Ok(3));
        let child = doing(|| assert_eq!(rx.takes(2), bytes(b"ab")));
        drop(rx);
        assert_eq!(tx.writes(b"d"), Ok(1));
        child.kill();
        assert_eq!([tx.writes(b"e"), tx.writes(b"e")], [Err(Errno::EPIPE); 2]);
    }
}

fn a_write_into_a_fifo_fails_as_soon_as_the_reader_was_killed<S: Subject>() {
    let (_, mut tx, rx) = open_fifo::<S>();
    drop(rx);
    for round in 0..ROUNDS {
        let child = doing(|| {
            let mut rx = S::Fifo::find(&path()).unwrap().reader().unwrap();
            if round > 0 {
                assert_eq!(rx.takes(1), bytes(b"b"), "the last one left it");
            }
            forget(rx);
        });
        assert_eq!(tx.writes(b"b"), Ok(1));
        child.kill();
        assert_eq!([tx.writes(b"c"), tx.writes(b"c")], [Err(Errno::EPIPE); 2]);
    }
}

fn the_end_is_there_as_soon_as_the_writer_was_killed<S: Subject>() {
    for round in 0..ROUNDS {
        let (mut tx, mut rx) = S::pipe();
        let child = doing(|| assert_eq!(tx.writes(b"abc"), Ok(3)));
        drop(tx);
        rx.set_nonblocking(round % 2 == 0);
        child.kill();
        assert_eq!([rx.takes(9), rx.takes(9)], [bytes(b"abc"), bytes(b"")]);
    }
}

fn the_end_of_a_fifo_is_there_as_soon_as_the_writer_was_killed<S: Subject>() {
    let (_, tx, mut rx) = open_fifo::<S>();
    drop(tx);
    for round in 0..ROUNDS {
        let child = doing(|| {
            let mut tx = S::Fifo::find(&path()).unwrap().writer().unwrap();
            assert_eq!(tx.writes(b"abc"), Ok(3));
            forget(tx);
        });
        rx.set_nonblocking(round % 2 == 0);
        assert_eq!(rx.takes(2), bytes(b"ab"));
        child.kill();
        assert_eq!([rx.takes(9), rx.takes(9)], [bytes(b"c"), bytes(b"")]);
    }
}

/// By any way out that runs no destructor.
fn a_process_that_exits_closes_its_ends<S: Subject>() {
    // SAFETY: always sound; it ends the process without running what was registered.
    #[allow(unsafe_code)]
    let at_once: fn() = || unsafe { libc::_exit(0) };
    let in_order: fn() = || process::exit(0);
    for exit in [at_once, in_order] {
        let (mut tx, mut rx) = S::pipe();
        let child = forked(|| {
            assert_eq!(tx.writes(b"abc"), Ok(3));
            exit();
        });
        child.join();
        assert_eq!(tx.writes(b"d"), Ok(1), "the parent's are there");
        drop(tx);
        assert_eq!([rx.takes(9), rx.takes(9)], [bytes(b"abcd"), bytes(b"")]);

        let (mut tx, rx) = S::pipe();
        let child = forked(exit);
        drop(rx);
        child.join();
        assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
    }
}

fn waiting_reads_end_when_the_writer_is_killed<S: Subject>() {
    for _ in 0..10 {
        let (mut tx, mut rx) = S::pipe();
        let child = doing(|| assert_eq!(tx.writes(b"abc"), Ok(3)));
        drop(tx);
        assert_eq!(rx.reads(9), Ok(3));
        let readers = [(); 3].map(|()| {
            let mut rx = rx.twin();
            call(move || rx.reads(9))
        });
        readers.iter().for_each(Call::until_asleep);
        child.kill();
        assert_eq!(readers.map(Call::join), [Ok(0); 3]);
    }
}

fn waiting_writes_end_when_the_reader_is_killed<S: Subject>() {
    for _ in 0..10 {
        let (mut tx, mut rx) = S::pipe();
        fill(&mut tx);
        let child = doing(|| assert_eq!(rx.reads(9), Ok(9)));
        drop(rx);
        let writers = [(); 3].map(|()| {
            let mut tx = tx.twin();
            call(move || tx.writes(&stream(0, 100)))
        });
        writers.iter().for_each(Call::until_asleep);
        child.kill();
        assert_eq!(writers.map(Call::join), [Err(Errno::EPIPE); 3]);
    }
}

/// A child that is asleep in that.
fn asleep(work: impl FnOnce()) -> Child {
    let shared = Shared::with(1);
    let child = forked(|| {
        shared.set(0, 1);
        work();
    });
    shared.until(0, 1);
    child.until_asleep();
    child
}

fn a_reader_killed_while_it_waits_is_gone<S: Subject>() {
    for _ in 0..20 {
        let (mut tx, mut rx) = S::pipe();
        let child = asleep(|| _ = rx.reads(9));
        drop(rx);
        child.kill();
        assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
    }
}

fn a_writer_killed_while_it_waits_leaves_what_it_wrote<S: Subject>() {
    for _ in 0..20 {
        let (mut tx, mut rx) = S::pipe();
        let child = asleep(|| _ = tx.writes(&stream(0, 1_000_000)));
        drop(tx);
        assert_eq!(rx.takes(10_000), Ok(stream(0, 10_000)));
        child.kill();
        let mut at = 10_000;
        loop {
            let came = rx.takes(7000).unwrap();
            if came.is_empty() {
                break;
            }
            assert!(came == stream(at, came.len()));
            at += came.len();
        }
        assert!((10_000..1_000_000).contains(&at));
    }
}

fn a_writer_killed_while_an_atomic_write_waits_leaves_nothing_of_it<S: Subject>() {
    for _ in 0..20 {
        let (mut tx, mut rx) = S::pipe();
        let full = fill(&mut tx);
        let child = asleep(|| _ = tx.writes(&stream(full, 4000)));
        child.kill();
        drop(tx);
        assert_eq!(rx.takes(2 * full), Ok(stream(0, full)));
        assert_eq!(rx.reads(1), Ok(0));
    }
}

/// Five at a time, of which one after the other is killed.
fn writers_killed_anywhere_leave_whole_records<S: Subject>() {
    const LENGTH: usize = 4090;
    let (mut tx, mut rx) = S::pipe();
    let reader = call(move || {
        let mut all = Vec::new();
        while let Ok(came @ [_, ..]) = rx.takes(10_000).as_deref() {
            all.extend_from_slice(came);
        }
        all
    });
    let mut dice = Dice::seeded("killed writers");
    let mut writer = |mark: u8| forked(|| while tx.writes(&[mark; LENGTH]) == Ok(LENGTH) {});
    let mut writers: Vec<_> = (0..5).map(&mut writer).collect();
    for mark in 5..60 {
        dice.pause(Duration::from_millis(3));
        let who = dice.below(5);
        std::mem::replace(&mut writers[who], writer(mark)).kill();
    }
    writers.into_iter().for_each(Child::kill);
    drop(tx);
    let all = reader.join();
    let whole = |record: &[u8]| record == [record[0]; LENGTH];
    assert!(!all.is_empty() && all.chunks(LENGTH).all(whole));
}

/// They take numbers with them, but no part of one, and nobody else's.
fn readers_killed_anywhere_stop_nobody<S: Subject>() {
    const LAST: u32 = u32::MAX;
    let (mut tx, mut rx) = S::pipe();
    let shared = Shared::new();
    let writer = call(move || {
        for n in 0.. {
            let n = if shared.get(0) == 0 { n } else { LAST };
            assert_eq!(tx.writes(&n.to_ne_bytes()), Ok(4));
            if n == LAST {
                break;
            }
        }
    });
    let next = |rx: &mut S::Reader| {
        let came = rx.takes(4).unwrap();
        came.try_into().ok().map(u32::from_ne_bytes)
    };
    let (mut dice, mut last) = (Dice::seeded("killed readers"), None);
    for _ in 0..50 {
        let child = forked(|| while next(&mut rx).is_some() {});
        for _ in 0..1 + dice.below(2000) {
            let n = next(&mut rx);
            assert!(last < n, "{n:?} after {last:?}");
            last = n;
        }
        child.kill();
    }
    shared.set(0, 1);
    let rest: Vec<_> = std::iter::from_fn(|| next(&mut rx)).collect();
    assert!(rest.is_sorted() && rest.last() == Some(&LAST));
    writer.join();
}

fn a_stopped_process_has_its_ends<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let child = doing(|| ());
    child.signal(Signal::SIGSTOP);
    until(|| child.is_stopped());
    assert_eq!(tx.writes(b"x"), Ok(1));
    drop(tx);
    rx.set_nonblocking(true);
    assert_eq!([rx.reads(9), rx.reads(9)], [Ok(1), Err(Errno::EAGAIN)]);
    child.kill();
    assert_eq!(rx.reads(9), Ok(0));
}

fn what_was_in_a_fifo_is_gone_with_all_who_were_killed<S: Subject>() {
    let fifo = fifo::<S>();
    for _ in 0..20 {
        let open = || S::Fifo::find(&path()).unwrap();
        let shared = Shared::new();
        let reader = forked(|| {
            let mut rx = open().reader().unwrap();
            assert_eq!(rx.reads(1), Ok(1));
            shared.set(0, 1);
            wait_for_the_end();
        });
        let writer = doing(|| {
            let mut tx = open().writer().unwrap();
            assert_eq!(tx.writes(b"abc"), Ok(3));
            forget(tx);
        });
        shared.until(0, 1);
        reader.kill();
        writer.kill();
        let (mut tx, mut rx) = fifo.both().unwrap();
        assert_eq!((rx.unread(), tx.writes(b"x")), (0, Ok(1)));
        assert_eq!(rx.takes(9), bytes(b"x"));
    }
}

fn openers_that_are_killed_are_gone<S: Subject>() {
    let fifo = fifo::<S>();
    for _ in 0..20 {
        let open = || S::Fifo::find(&path()).unwrap();
        asleep(|| drop(open().reader())).kill();
        let refused = opened(fifo.writer_nonblocking().map(drop));
        assert_eq!(refused, Err(Errno::ENXIO));
        asleep(|| drop(open().writer())).kill();
        let mut rx = fifo.reader_nonblocking().unwrap();
        assert_eq!(rx.reads(1), Ok(0));
    }
}

/// What wakes one who is then killed must not be lost on the others.
fn others_go_on_when_one_of_many_is_killed<S: Subject>() {
    for _ in 0..50 {
        let (mut tx, mut rx) = S::pipe();
        let [one, others @ ..] = [(); 3].map(|()| asleep(|| assert_eq!(rx.reads(1), Ok(1))));
        assert_eq!(tx.writes(b"xyz"), Ok(3));
        one.kill_or_join();
        let others: [_; 2] = others;
        others.into_iter().for_each(Child::join);
        assert!(rx.unread() <= 1);
    }
}
