//! Opening a FIFO: F1 to F4, F6, F8.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use crate::common::{Child, Shared, forked};
use crate::differences::{PERMISSIONS, TRUNCATION, UMASK};
use crate::stage::{Call, call, fifo, folder, path};
use crate::subject::{End, Fifo, Reads, Subject, Writes, bytes, opened};

cases! {
    a_name_is_given_once
    a_name_that_is_not_there_is_enoent
    a_reader_waits_for_a_writer
    a_writer_waits_for_a_reader
    those_who_do_not_wait_release_those_who_do
    processes_meet_in_a_fifo
    one_who_goes_at_once_has_been_there
    one_writer_releases_all_readers
    one_reader_releases_all_writers
    a_writer_that_does_not_wait_needs_a_reader
    a_reader_that_does_not_wait_needs_nobody
    opening_both_ways_waits_for_nobody
    truncation_does_nothing
    the_mode_says_who_may_open
    the_mode_says_who_may_read_and_who_may_write
    the_mode_comes_through_the_umask
}

fn a_name_is_given_once<S: Subject>() {
    fifo::<S>();
    let again = S::Fifo::make(&path(), 0o600);
    assert_eq!(opened(again.map(drop)), Err(Errno::EEXIST));
    S::Fifo::find(&path())
        .unwrap()
        .reader_nonblocking()
        .unwrap();
    std::fs::write(folder().join("file"), b"").unwrap();
    let of_a_file = S::Fifo::make(&folder().join("file"), 0o600);
    assert_eq!(opened(of_a_file.map(drop)), Err(Errno::EEXIST));
}

fn a_name_that_is_not_there_is_enoent<S: Subject>() {
    for path in [path(), folder().join("none").join("fifo")] {
        assert_eq!(opened(S::Fifo::find(&path).map(drop)), Err(Errno::ENOENT));
    }
    let nowhere = S::Fifo::make(&folder().join("none").join("fifo"), 0o600);
    assert_eq!(opened(nowhere.map(drop)), Err(Errno::ENOENT));
}

fn a_reader_waits_for_a_writer<S: Subject>() {
    let fifo = fifo::<S>();
    let theirs = fifo.clone();
    let open = call(move || theirs.reader().unwrap());
    open.until_asleep();
    let mut tx = fifo.writer().unwrap();
    let mut rx = open.join();
    assert_eq!(tx.writes(b"abc"), Ok(3));
    drop(tx);
    assert_eq!([rx.takes(9), rx.takes(9)], [bytes(b"abc"), bytes(b"")]);
}

fn a_writer_waits_for_a_reader<S: Subject>() {
    let fifo = fifo::<S>();
    let theirs = fifo.clone();
    let open = call(move || theirs.writer().unwrap());
    open.until_asleep();
    let mut rx = fifo.reader().unwrap();
    let mut tx = open.join();
    assert!(!tx.is_nonblocking() && !rx.is_nonblocking());
    assert_eq!(tx.writes(b"abc"), Ok(3));
    assert_eq!(rx.takes(9), bytes(b"abc"));
}

fn those_who_do_not_wait_release_those_who_do<S: Subject>() {
    let fifo = fifo::<S>();
    let theirs = fifo.clone();
    let open = call(move || theirs.reader().unwrap());
    open.until_asleep();
    let tx = fifo.writer_nonblocking().unwrap();
    drop((open.join(), tx));

    let theirs = fifo.clone();
    let open = call(move || theirs.writer().unwrap());
    open.until_asleep();
    let rx = fifo.reader_nonblocking().unwrap();
    drop((open.join(), rx));

    let theirs = [fifo.clone(), fifo.clone()];
    let [reader, writer] = theirs;
    let reader = call(move || reader.reader().unwrap());
    reader.until_asleep();
    let both = fifo.both().unwrap();
    drop(reader.join());
    let writer = call(move || writer.writer().unwrap());
    drop((writer.join(), both));
}

fn processes_meet_in_a_fifo<S: Subject>() {
    fifo::<S>();
    for round in 0..50 {
        let find = || S::Fifo::find(&path()).unwrap();
        let reader = forked(|| {
            let mut rx = find().reader().unwrap();
            assert_eq!([rx.takes(9), rx.takes(9)], [bytes(&[round; 5]), bytes(b"")]);
        });
        let writer = forked(|| {
            let mut tx = find().writer().unwrap();
            assert_eq!(tx.writes(&[round; 5]), Ok(5));
        });
        reader.join();
        writer.join();
    }
}

/// What counts is that somebody has come, not that he is still there.
fn one_who_goes_at_once_has_been_there<S: Subject>() {
    let fifo = fifo::<S>();
    for _ in 0..50 {
        let theirs = fifo.clone();
        let open = call(move || theirs.reader().unwrap());
        open.until_asleep();
        drop(fifo.writer_nonblocking().unwrap());
        assert_eq!(open.join().reads(1), Ok(0));

        let theirs = fifo.clone();
        let open = call(move || theirs.writer().unwrap());
        open.until_asleep();
        drop(fifo.reader_nonblocking().unwrap());
        assert_eq!(open.join().writes(b"x"), Err(Errno::EPIPE));
    }
}

fn one_writer_releases_all_readers<S: Subject>() {
    let fifo = fifo::<S>();
    let open = || {
        let theirs = fifo.clone();
        call(move || theirs.reader().unwrap())
    };
    let open = [open(), open(), open(), open(), open()];
    open.iter().for_each(Call::until_asleep);
    drop(fifo.writer().unwrap());
    assert_eq!(open.map(|open| open.join().reads(1)), [Ok(0); 5]);
}

fn one_reader_releases_all_writers<S: Subject>() {
    let fifo = fifo::<S>();
    let shared = Shared::new();
    let children = [(); 5].map(|()| {
        forked(|| {
            let theirs = S::Fifo::find(&path()).unwrap();
            shared.add(0);
            let mut tx = theirs.writer().unwrap();
            shared.until(1, 1);
            assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
        })
    });
    shared.until(0, 5);
    children.iter().for_each(Child::until_asleep);
    drop(fifo.reader().unwrap());
    shared.set(1, 1);
    children.into_iter().for_each(Child::join);
}

/// LTP's open06.
fn a_writer_that_does_not_wait_needs_a_reader<S: Subject>() {
    let fifo = fifo::<S>();
    let refused = || opened(fifo.writer_nonblocking().map(drop)) == Err(Errno::ENXIO);
    assert!(refused());
    let rx = fifo.reader_nonblocking().unwrap();
    let tx = fifo.writer_nonblocking().unwrap();
    assert!(tx.is_nonblocking());
    drop(rx);
    assert!(refused(), "whoever else writes");
    drop(tx);
    assert!(refused());
}

fn a_reader_that_does_not_wait_needs_nobody<S: Subject>() {
    let fifo = fifo::<S>();
    let mut rx = fifo.reader_nonblocking().unwrap();
    assert!(rx.is_nonblocking());
    assert_eq!(rx.reads(1), Ok(0));
    drop(fifo.reader_nonblocking().unwrap());
    let tx = fifo.writer().unwrap();
    assert_eq!(rx.reads(1), Err(Errno::EAGAIN));
    drop(tx);
    assert_eq!(rx.reads(1), Ok(0));
}

fn opening_both_ways_waits_for_nobody<S: Subject>() {
    let fifo = fifo::<S>();
    let (mut tx, mut rx) = fifo.both().unwrap();
    assert!(!tx.is_nonblocking() && !rx.is_nonblocking());
    assert_eq!(tx.writes(b"abc"), Ok(3));
    assert_eq!(rx.takes(9), bytes(b"abc"));
    drop((fifo.reader().unwrap(), fifo.writer().unwrap()));
    drop(fifo.both().unwrap());
}

fn truncation_does_nothing<S: Subject>() {
    let fifo = fifo::<S>();
    let (mut tx, mut rx) = fifo.both().unwrap();
    assert_eq!(tx.writes(b"abc"), Ok(3));
    let again = fifo.both_truncated().map(|ends| ends.map(drop));
    let again = again.map(|ends| ends.map_err(|error| error.raw_os_error()));
    assert_eq!(again, TRUNCATION.expected::<S, _>(Some(Ok(())), None));
    assert_eq!(rx.takes(9), bytes(b"abc"));
}

/// Whether nobody in particular may read and write a FIFO, which is made so if there is none.
fn for_nobody<S: Subject>(mode: u32) -> Option<[Result<(), Errno>; 2]> {
    if !Uid::effective().is_root() {
        crate::common::apart::skipped("only root can be somebody else");
        return None;
    }
    let path = folder().join(format!("{mode:o}"));
    if !path.exists() {
        S::Fifo::make(&path, mode).unwrap();
    }
    let shared = Shared::new();
    forked(|| {
        become_nobody();
        let codes = tried::<S>(&path).map(|tried| tried.map_or_else(|errno| errno as u64, |()| 0));
        shared.set(0, codes[0]);
        shared.set(1, codes[1]);
    })
    .join();
    let result = |code| match Errno::from_raw(code as i32) {
        Errno::UnknownErrno => Ok(()),
        errno => Err(errno),
    };
    Some([shared.get(0), shared.get(1)].map(result))
}

fn become_nobody() {
    setgroups(&[]).unwrap();
    setgid(Gid::from_raw(65534)).unwrap();
    setuid(Uid::from_raw(65534)).unwrap();
}

fn tried<S: Subject>(path: &Path) -> [Result<(), Errno>; 2] {
    let find = || S::Fifo::find(path);
    let reader = find().and_then(|fifo| fifo.reader_nonblocking());
    let writer: io::Result<_> = find().and_then(|fifo| fifo.writer_nonblocking());
    // A writer that may, but finds nobody, was not refused.
    let writer = match opened(writer.map(drop)) {
        Err(Errno::ENXIO) => Ok(()),
        other => other,
    };
    [opened(reader.map(drop)), writer]
}

fn the_mode_says_who_may_open<S: Subject>() {
    umask(Mode::empty());
    if let Some(tried) = for_nobody::<S>(0o600) {
        assert_eq!(tried, [Err(Errno::EACCES); 2]);
        assert_eq!(for_nobody::<S>(0o666), Some([Ok(()); 2]));
    }
}

fn the_mode_says_who_may_read_and_who_may_write<S: Subject>() {
    umask(Mode::empty());
    let refused = Err(Errno::EACCES);
    if let Some(tried) = for_nobody::<S>(0o644) {
        let expected = PERMISSIONS.expected::<S, _>([Ok(()), refused], [refused; 2]);
        assert_eq!(tried, expected);
        let expected = PERMISSIONS.expected::<S, _>([refused, Ok(())], [refused; 2]);
        assert_eq!(for_nobody::<S>(0o622), Some(expected));
    }
}

fn the_mode_comes_through_the_umask<S: Subject>() {
    umask(Mode::from_bits_retain(0o077));
    if let Some(tried) = for_nobody::<S>(0o666) {
        let expected = UMASK.expected::<S, _>([Err(Errno::EACCES); 2], [Ok(()); 2]);
        assert_eq!(tried, expected);
    }
}
