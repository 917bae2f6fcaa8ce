//! A process that makes the kernel forget what it holds: by setting a semaphore of its ring, or by leaving the list of its
//! adjustments behind (unshare(2), setns(2)). No two of its handles have the same slots all the same.
#![allow(missing_docs)]

mod common;

use std::fs::File;
use std::io::{BufRead, ErrorKind, Read, Write};
use std::ops::Range;
use std::time::Duration;

use common::apart::apart;
use common::{Place, Watchdog, forked, watched};
use nix::sched::{CloneFlags, setns, unshare};
use ringpipe::spsc::Ring;
use ringpipe::stream::{self, Fifo, Reader, Writer};
use ringpipe::sysv::{self, SemId};
use ringpipe::{Error, Name, Role, mpmc};

/// The semaphore of participant 1.
const FIRST: u16 = 9;
const A_MOMENT: Duration = Duration::from_millis(50);

fn set_of(name: &Name) -> SemId {
    ringpipe::status(name.clone()).unwrap().set.unwrap()
}

/// Has the kernel say that nobody has what the semaphore stands for.
fn forget(name: impl Into<Name>, semaphore: u16) {
    sysv::semctl_setval(set_of(&name.into()), semaphore, 0).unwrap();
}

/// That nobody else comes into a role by either way to the ring.
#[track_caller]
fn assert_taken(ways: [&Ring<u64>; 2], role: Role) {
    for ring in ways {
        let refused = match role {
            Role::Producer => ring.producer().map(drop),
            Role::Consumer => ring.consumer().map(drop),
        };
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::RoleTaken { .. }), "{refused}");
    }
}

/// The addresses of the slots in two slices.
fn slots<T>(slices: (&[T], &[T])) -> [Range<*const T>; 2] {
    [slices.0.as_ptr_range(), slices.1.as_ptr_range()]
}

/// That two have no slot in common.
#[track_caller]
fn assert_apart<T>(ours: &[Range<*const T>; 2], theirs: &[Range<*const T>; 2]) {
    for one in ours {
        for other in theirs {
            let shared = one.start.max(other.start) < one.end.min(other.end);
            assert!(!shared, "two handles have the same slots");
        }
    }
}

#[test]
fn a_role_set_to_zero_is_not_given_to_a_second_handle() {
    let (place, _watchdog) = watched("a role set to zero");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let other = Ring::<u64>::open(place.path()).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push_slice(&[1, 2]).unwrap();
    let (mut room, items) = (tx.reserve(2).unwrap(), rx.peek(2).unwrap());
    for semaphore in 0..2 {
        forget(place.path(), semaphore);
    }
    assert_taken([&ring, &other], Role::Producer);
    assert_taken([&ring, &other], Role::Consumer);
    room.write(&[3, 4]);
    room.commit_written();
    items.release_all();
    drop((tx, rx));
    // They are given up as they were taken.
    let (_tx, mut rx) = (other.producer().unwrap(), ring.consumer().unwrap());
    assert_eq!((rx.pop(), rx.pop()), (Ok(3), Ok(4)));
}

/// All semaphores at once, and an array of operations.
#[test]
fn no_call_on_a_set_lets_a_second_producer_in() {
    let (place, _watchdog) = watched("calls on a set");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let set = set_of(&place.path().into());
    let _tx = ring.producer().unwrap();
    let mut values = sysv::semctl_getall(set).unwrap();
    values[0] = 0;
    sysv::semctl_setall(set, &values).unwrap();
    assert_taken([&ring, &ring], Role::Producer);
    sysv::semctl_setval(set, 0, 1).unwrap();
    sysv::semop(set, &[sysv::SemOp::take(0, 1)]).unwrap();
    assert_taken([&ring, &ring], Role::Producer);
}

#[test]
fn a_role_is_kept_where_the_undo_list_is_left() {
    let (place, _watchdog) = watched("an undo list");
    forked(|| {
        let ring = Ring::<u64>::create(place.path(), 4).unwrap();
        let other = Ring::<u64>::open(place.path()).unwrap();
        let (_tx, _rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        unshare(CloneFlags::CLONE_SYSVSEM).unwrap();
        let counts = sysv::semctl_getall(set_of(&place.path().into())).unwrap();
        assert_eq!(counts[..2], [0, 0], "the kernel has undone it");
        assert_taken([&ring, &other], Role::Producer);
        assert_taken([&ring, &other], Role::Consumer);
    })
    .join();
}

/// In a new namespace an old ring's set has the id of another's.
#[test]
fn a_role_is_kept_in_another_ipc_namespace_and_back() {
    apart(|| {
        let old = Ring::<u64>::private(4).unwrap();
        let id = old.id().unwrap();
        let home = File::open("/proc/self/ns/ipc").unwrap();
        let (_tx, _rx) = (old.producer().unwrap(), old.consumer().unwrap());
        let set = set_of(&id);
        unshare(CloneFlags::CLONE_NEWIPC).unwrap();
        let new = Ring::<u64>::private(4).unwrap();
        assert_eq!(set_of(&new.id().unwrap()), set);
        assert_taken([&old, &old], Role::Producer);
        // It is not taken for the other, although its segment has that one's id.
        assert_eq!(new.id().unwrap(), id);
        drop(new.producer().unwrap());
        setns(&home, CloneFlags::CLONE_NEWIPC).unwrap();
        let again = Ring::<u64>::open(id).unwrap();
        assert_taken([&old, &again], Role::Producer);
        assert_taken([&old, &again], Role::Consumer);
        drop((old, again));
    });
}

#[test]
fn a_forked_child_holds_nothing_of_its_parent() {
    let (place, _watchdog) = watched("a forked child");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut tx = Some(ring.producer().unwrap());
    forked(|| {
        assert_taken([&ring, &ring], Role::Producer);
        drop(ring.consumer().unwrap());
        std::mem::forget(ring.consumer().unwrap());
        assert_taken([&ring, &ring], Role::Consumer);
    })
    .join();
    drop(ring.consumer().unwrap());
    forked(|| {
        drop(tx.take()); // not the child's to give up
        assert_taken([&ring, &ring], Role::Producer);
    })
    .join();
    assert_taken([&ring, &ring], Role::Producer);
}

/// A ring of four, with the room of producer 1, of which the kernel then forgets who has it.
#[test]
fn room_of_a_forgotten_number_is_not_given_to_another() {
    let (place, _watchdog) = watched("a forgotten producer");
    let ring = mpmc::Ring::<u64>::create(place.path(), 4).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let mut room = tx.reserve(2).unwrap();
    forget(place.path(), FIRST);
    let ours = room.as_mut_slices();
    let ours = slots((ours.0, ours.1));
    let mut other = ring.producer().unwrap();
    assert_ne!(other.number(), 1);
    let mut pushed = 0;
    for _ in 0..8 {
        let _ = rx.pop_timeout(Duration::from_millis(1));
        if let Ok(mut room) = other.reserve_timeout(1, A_MOMENT) {
            let theirs = room.as_mut_slices();
            assert_apart(&ours, &slots((theirs.0, theirs.1)));
            room.write(&[7]);
            room.commit_written();
            pushed += 1;
        }
    }
    assert_eq!(pushed, 2);
    assert!(other.push_timeout(8, A_MOMENT).is_err());
    room.write(&[5, 6]);
    room.commit_written();
    let mut got = [0; 4];
    assert_eq!(rx.pop_slice(&mut got), Ok(4));
    assert_eq!(got, [5, 6, 7, 7]);
}

#[test]
fn a_claim_of_a_forgotten_number_is_not_given_to_another() {
    let (place, _watchdog) = watched("a forgotten consumer");
    let ring = mpmc::Ring::<u64>::create(place.path(), 4).unwrap();
    let (mut rx, mut tx) = (ring.consumer().unwrap(), ring.producer().unwrap());
    tx.push_slice(&[1, 2, 3, 4]).unwrap();
    let claim = rx.claim(2).unwrap();
    forget(place.path(), FIRST);
    let ours = slots(claim.as_slices());
    let mut other = ring.consumer().unwrap();
    assert_ne!(other.number(), 1);
    assert_eq!((other.try_pop(), other.try_pop()), (Ok(3), Ok(4)));
    for _ in 0..4 {
        assert!(other.pop_timeout(A_MOMENT).is_err());
        if let Ok(mut room) = tx.reserve_timeout(1, A_MOMENT) {
            let theirs = room.as_mut_slices();
            assert_apart(&ours, &slots((theirs.0, theirs.1)));
        }
    }
    assert_eq!(*claim.as_slices().0, [1, 2]);
    claim.release_all();
    assert_eq!(tx.push_slice(&[5, 6, 7, 8]), Ok(()));
    let mut got = [0; 4];
    assert_eq!(other.pop_slice(&mut got), Ok(4));
    assert_eq!((got, other.redelivered()), ([5, 6, 7, 8], false));
}

/// The same where the kernel has undone all that this process has.
#[test]
fn claims_are_kept_where_the_undo_list_is_left() {
    let (place, _watchdog) = watched("claims and an undo list");
    forked(|| {
        let ring = mpmc::Ring::<u64>::create(place.path(), 4).unwrap();
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push_slice(&[1, 2]).unwrap();
        let (claim, mut room) = (rx.claim(2).unwrap(), tx.reserve(2).unwrap());
        unshare(CloneFlags::CLONE_SYSVSEM).unwrap();
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        assert_eq!((tx.number(), rx.number()), (3, 4));
        assert!(tx.push_timeout(0, A_MOMENT).is_err());
        assert!(rx.pop_timeout(A_MOMENT).is_err());
        assert_eq!(*claim.as_slices().0, [1, 2]);
        claim.release_all();
        room.write(&[3, 4]);
        room.commit_written();
        assert_eq!((rx.pop(), rx.pop()), (Ok(3), Ok(4)));
    })
    .join();
}

/// A FIFO with both ends open, of this process.
fn fifo(place: &Place) -> (Fifo, Writer, Reader) {
    let fifo = stream::Options::new()
        .capacity(8192)
        .create(place.path())
        .unwrap();
    let (writer, reader) = fifo.both().unwrap();
    writer.set_write_timeout(Some(A_MOMENT));
    reader.set_read_timeout(Some(A_MOMENT));
    (fifo, writer, reader)
}

fn timed_out<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::TimedOut)
}

#[test]
fn a_reservation_of_a_forgotten_number_is_not_anothers() {
    let (place, _watchdog) = watched("a forgotten writer");
    let (_fifo, mut writer, mut reader) = fifo(&place);
    let mut other = writer.try_clone().unwrap();
    let mut room = writer.reserve(4).unwrap();
    // `both` opens the reader first.
    forget(place.path(), FIRST + 1);
    let ours = room.as_mut_slices();
    let ours = slots((ours.0, ours.1));
    let mut newcomer = other.try_clone().unwrap();
    for writer in [&mut other, &mut newcomer] {
        assert!(timed_out(writer.write(b"lost")));
        if let Ok(mut room) = writer.reserve(4) {
            let theirs = room.as_mut_slices();
            assert_apart(&ours, &slots((theirs.0, theirs.1)));
        }
    }
    room.as_mut_slices().0.copy_from_slice(b"mine");
    room.commit(4);
    assert_eq!(other.write(b"next").unwrap(), 4);
    let mut got = [0; 8];
    reader.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"minenext");
}

#[test]
fn what_fill_buf_shows_a_forgotten_number_is_not_anothers() {
    let (place, _watchdog) = watched("a forgotten reader");
    let (_fifo, mut writer, mut reader) = fifo(&place);
    let mut other = reader.try_clone().unwrap();
    writer.write_all(b"mine").unwrap();
    let shown = reader.fill_buf().unwrap();
    forget(place.path(), FIRST);
    let mut newcomer = other.try_clone().unwrap();
    for reader in [&mut other, &mut newcomer] {
        assert!(timed_out(reader.read(&mut [0; 4])));
        assert!(timed_out(reader.fill_buf().map(<[u8]>::len)));
    }
    assert_eq!(shown, b"mine");
    reader.consume(4);
    writer.write_all(b"next").unwrap();
    let mut got = [0; 4];
    other.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"next");
}

/// Whoever then opens an end finds nobody there, as far as the kernel knows, and comes as the first.
#[test]
fn turns_are_kept_where_the_undo_list_is_left() {
    let (place, _watchdog) = watched("turns and an undo list");
    forked(|| {
        let (fifo, mut writer, mut reader) = fifo(&place);
        writer.write_all(b"mine").unwrap();
        let shown = reader.fill_buf().unwrap();
        let mut room = writer.reserve(4).unwrap();
        unshare(CloneFlags::CLONE_SYSVSEM).unwrap();
        for refused in [
            fifo.writer_timeout(A_MOMENT).map(drop),
            fifo.reader_timeout(A_MOMENT).map(drop),
            fifo.both().map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, Error::TimedOut { .. }), "{refused}");
        }
        assert_eq!(fifo.available(), 4);
        room.as_mut_slices().0.copy_from_slice(b"next");
        assert_eq!(shown, b"mine");
        room.commit(4);
        reader.consume(4);
    })
    .join();
}

/// A number that a parent holds for its child is the child's when it has come, and nobody's when both are gone.
#[test]
fn a_childs_end_is_not_held_by_its_parent() {
    let place = Place::new();
    let _watchdog = Watchdog::new("a child's end", vec![place.path()]);
    let fifo = Fifo::create(place.path()).unwrap();
    let mut ends = fifo.both().unwrap();
    ends.0.set_inheritable(true);
    let numbers = || {
        let status = fifo.status().unwrap().unwrap();
        let alive = status.participants.into_iter().filter(|one| one.alive);
        alive.map(|one| one.number).collect::<Vec<_>>()
    };
    for _ in 0..3 {
        let child = forked(|| common::wait_for_the_end());
        assert_eq!(numbers(), [1, 2, 3]);
        child.kill();
        // The next to come clears up, and has the number again.
        drop(ends.0.try_clone().unwrap());
        assert_eq!(numbers(), [1, 2]);
    }
}

/// What is forgotten on purpose is held until the process ends, as the kernel has it.
#[test]
fn a_handle_that_is_forgotten_keeps_its_role() {
    let (place, _watchdog) = watched("a handle that is forgotten");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    forked(|| {
        std::mem::forget(ring.producer().unwrap());
        assert_taken([&ring, &ring], Role::Producer);
        forget(place.path(), 0);
        assert_taken([&ring, &ring], Role::Producer);
    })
    .join();
    drop(ring.producer().unwrap());
}

/// A call that the kernel refuses takes nothing.
#[test]
fn a_refused_attach_leaves_nothing_behind() {
    let (place, _watchdog) = watched("a refused attach");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let (done, go_on) = (common::Shared::new(), common::Shared::new());
    let holder = forked(|| {
        let _tx = ring.producer().unwrap();
        done.set(0, 1);
        go_on.until(0, 1);
    });
    done.until(0, 1);
    assert_taken([&ring, &ring], Role::Producer);
    go_on.set(0, 1);
    holder.join();
    drop(ring.producer().unwrap());
    sysv::semctl_rmid(set_of(&place.path().into())).unwrap();
    for _ in 0..2 {
        let refused = ring.producer().unwrap_err();
        assert!(matches!(refused, Error::Removed), "{refused}");
    }
}
