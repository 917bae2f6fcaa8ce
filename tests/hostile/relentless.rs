//! Peers that do one thing, without end, or have set up what keeps a careless loop going for ever.

use std::fs;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::unistd::alarm;
use ringpipe::stream::Fifo;
use ringpipe::sysv::{self, Key, SemId, ShmGetFlags, ShmId};
use ringpipe::{
    Error, Name, PopTimeoutError, PushTimeoutError, Role, Strategy, mpmc, spsc, stream,
};

use crate::common::apart::{apart, skipped};
use crate::common::raw::Raw;
use crate::common::{Child, Shared, forked};
use crate::{id_of, ledger};

/// How long a call may take at the very most, in seconds.
const PATIENCE: u32 = 30;
const SHORT: Duration = Duration::from_millis(2);

/// Runs `body` in a process that is ended if it hangs, beside one that does `evil` all the time.
fn beside(mut evil: impl FnMut(), body: impl FnOnce()) {
    let over = Shared::new();
    let villain = forked(|| {
        over.set(1, 1);
        while over.get(0) == 0 {
            evil();
        }
    });
    over.until(1, 1);
    in_time(body).join();
    over.set(0, 1);
    villain.join();
}

fn in_time(body: impl FnOnce()) -> Child {
    forked(|| {
        alarm::set(PATIENCE);
        body();
    })
}

fn set_of(id: &Name) -> SemId {
    ringpipe::status(id).unwrap().set.unwrap()
}

#[test]
fn wake_ups_without_end_do_not_outlast_a_timeout() {
    for strategy in [Strategy::Sleep, Strategy::SpinThenSleep] {
        apart(|| {
            let ring = spsc::Ring::<u64>::private(1).unwrap();
            let set = set_of(&ring.id().unwrap());
            let evil = || sysv::semctl_setval(set, 2, 32_000).unwrap();
            beside(evil, || {
                let _tx = ring.producer().unwrap();
                let mut rx = ring.consumer().unwrap();
                rx.set_strategy(strategy);
                for _ in 0..20 {
                    assert_eq!(rx.pop_timeout(SHORT), Err(PopTimeoutError::Timeout));
                }
            });
            let ring = mpmc::Ring::<u64>::private(1).unwrap();
            let set = set_of(&ring.id().unwrap());
            let evil = || sysv::semctl_setval(set, 2, 32_000).unwrap();
            beside(evil, || {
                let _tx = ring.producer().unwrap();
                let mut rx = ring.consumer().unwrap();
                rx.set_strategy(strategy);
                for _ in 0..20 {
                    assert_eq!(rx.pop_timeout(SHORT), Err(PopTimeoutError::Timeout));
                }
            });
            let (_writer, mut reader) = stream::pipe().unwrap();
            let id = ringpipe::list().unwrap().remove(2).id;
            let set = set_of(&Name::Id(id));
            reader.set_read_timeout(Some(SHORT));
            reader.set_strategy(strategy);
            let evil = || sysv::semctl_setval(set, 2, 32_000).unwrap();
            beside(evil, || {
                for _ in 0..20 {
                    let end = reader.read(&mut [0]).unwrap_err();
                    assert_eq!(end.kind(), std::io::ErrorKind::TimedOut);
                }
            });
        });
    }
}

/// All semaphores but the marks say that somebody is there, and the table says that there is room.
fn everybody_is_there(set: SemId) {
    let mut values = sysv::semctl_getall(set).unwrap();
    for (n, value) in values.iter_mut().enumerate() {
        if !(4..9).contains(&n) {
            *value = 1;
        }
    }
    sysv::semctl_setall(set, &values).unwrap();
}

type Opening = fn(&Fifo) -> Result<(), Error>;

/// What does not wait for a peer comes back, whatever the semaphores say.
#[test]
fn semaphores_that_lie_keep_nobody_who_would_not_wait() {
    let calls: [Opening; 4] = [
        |fifo| fifo.writer_nonblocking().map(drop),
        |fifo| fifo.reader_nonblocking().map(drop),
        |fifo| fifo.both().map(drop),
        |fifo| fifo.writer_timeout(SHORT).map(drop),
    ];
    apart(|| {
        for call in calls {
            let fifo = stream::Options::new().participants(4).create(Name::Private);
            let fifo = fifo.unwrap();
            everybody_is_there(set_of(&fifo.id().unwrap()));
            in_time(|| {
                let end = call(&fifo).unwrap_err();
                assert!(
                    matches!(end, Error::TimedOut { .. } | Error::Crowded { .. }),
                    "{end}"
                );
            })
            .join();
        }
        let ring = mpmc::Ring::<u64>::private(1).unwrap();
        everybody_is_there(set_of(&ring.id().unwrap()));
        let taken = ring.producer().unwrap_err();
        assert!(matches!(taken, Error::Crowded { .. }), "{taken}");
    });
}

#[test]
fn semaphores_that_lie_keep_no_clone_and_no_fork() {
    apart(|| {
        in_time(|| {
            let fifo = stream::Options::new().participants(8).create(Name::Private);
            let fifo = fifo.unwrap();
            let mut reader = fifo.reader_nonblocking().unwrap();
            reader.set_inheritable(true);
            everybody_is_there(set_of(&fifo.id().unwrap()));
            let twin = reader.try_clone().unwrap_err();
            assert!(
                matches!(twin, Error::TimedOut { .. } | Error::Crowded { .. }),
                "{twin}"
            );
            // A child does not inherit what cannot be had for it; it is forked all the same.
            forked(|| {}).join();
        })
        .join();
    });
}

/// A segment that its maker was promised no memory for, and calls a ring, whose words would take far more than the machine has.
fn sparse_ring(capacity: usize) -> ShmId {
    let words = 4096 + 128;
    let payload = (words + capacity * 8).next_multiple_of(4096);
    let size = payload + capacity;
    let flags = ShmGetFlags::CREATE | ShmGetFlags::NORESERVE;
    let id = sysv::shmget(Key::PRIVATE, size, flags, 0o644).unwrap();
    let raw = Raw::attach(id);
    let fields = [
        (8, 4, 1),
        (12, 4, 2),
        (16, 4, 1),
        (20, 4, 1),
        (32, 8, capacity as u64),
        (40, 8, payload as u64),
        (48, 8, size as u64),
        (104, 4, 1),
        // So that each free word is one of a later lap.
        (256, 8, (capacity as u64).wrapping_mul((1 << 40) - 1)),
        (384, 8, (capacity as u64).wrapping_mul((1 << 40) - 1)),
        (92, 4, 0x5245_4459),
        (0, 8, u64::from_le_bytes(*b"RINGPIPE")),
    ];
    for (offset, width, value) in fields {
        raw.set(offset, width, value);
    }
    id
}

/// Bytes of memory that segments of this namespace take.
fn resident() -> usize {
    let list = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let lines = list.lines().skip(1);
    let column = |line: &str| {
        line.split_ascii_whitespace()
            .nth_back(1)?
            .parse::<usize>()
            .ok()
    };
    lines.filter_map(column).sum()
}

/// It looked at every word of a ring, each of which takes memory when it is looked at.
#[test]
fn a_sparse_ring_takes_no_memory_from_who_looks_at_it() {
    apart(|| {
        let id = sparse_ring(1 << 25);
        let before = resident();
        let status = ringpipe::status(id).unwrap();
        assert_eq!((status.capacity, status.participant_limit), (1 << 25, 1));
        assert_eq!(ringpipe::list().unwrap().len(), 1);
        let taken = resident() - before;
        assert!(taken < 32 << 20, "{taken} bytes");
        ringpipe::collect(&[], false).unwrap();
        let taken = resident().saturating_sub(before);
        assert!(taken < 32 << 20, "{taken} bytes");
        let _ = sysv::shmctl_rmid(id);
    });
}

/// Huge pages that nobody has reserved: who looks at them is killed.
#[test]
fn a_ring_of_pages_that_do_not_exist_kills_nobody_who_looks() {
    apart(|| {
        let flags = ShmGetFlags::CREATE | ShmGetFlags::NORESERVE | ShmGetFlags::HUGETLB;
        let Ok(id) = sysv::shmget(Key::new(7), 2 << 20, flags, 0o666) else {
            skipped("no segment of huge pages can be had");
            return;
        };
        in_time(|| {
            assert!(ringpipe::list().unwrap().is_empty());
            for name in [Name::Id(id), Name::Key(Key::new(7))] {
                let looked = ringpipe::status(&name).unwrap_err();
                assert!(!looked.to_string().is_empty());
                assert!(spsc::Ring::<u64>::open(&name).is_err());
                assert!(mpmc::Ring::<u64>::open_or_create(&name, 1).is_err());
            }
            ringpipe::collect(&[], false).unwrap();
        })
        .join();
        let _ = sysv::shmctl_rmid(id);
    });
}

/// The word that all want to exchange is never as it was a moment ago.
#[test]
fn a_word_that_never_stands_still_keeps_nobody() {
    /// Where it is, and by how much it changes.
    const HAMMERED: [(usize, u64); 8] = [
        (128, 4),
        (136, 4),
        (2048, 1 << 40 | 1),
        (2176, 1 << 40 | 1),
        (2560, 1 << 11),
        (2688, 1 << 11),
        (4096 + 4 * 128, 1 << 24), // the first slot's word
        (4096 + 8, 1),
    ];
    for (offset, step) in HAMMERED {
        apart(|| {
            let options = mpmc::Options::new().capacity(1).participants(4);
            let ring = options.create::<u64>(Name::Private).unwrap();
            let id = ring.id().unwrap();
            let raw = Raw::attach(id_of(Some(id)));
            let mut value = 0_u64;
            let evil = || {
                for _ in 0..10_000 {
                    value = value.wrapping_add(step);
                    // Free, and then something else, as fast as can be.
                    raw.wide(offset).store(0, Ordering::Relaxed);
                    raw.wide(offset).store(value, Ordering::Relaxed);
                }
            };
            beside(evil, || {
                for _ in 0..5 {
                    alarm::set(PATIENCE);
                    let (Ok(mut tx), Ok(mut rx)) = (ring.producer(), ring.consumer()) else {
                        continue;
                    };
                    for _ in 0..20 {
                        alarm::set(PATIENCE);
                        check(tx.push_timeout(1, SHORT).map_err(|error| error.to_string()));
                        check(rx.pop_timeout(SHORT).map_err(|error| error.to_string()));
                        check(tx.try_push(1).map_err(|error| error.to_string()));
                        check(rx.try_pop().map_err(|error| error.to_string()));
                    }
                }
            });
        });
    }
}

/// Whatever it is, it is an answer.
fn check<T>(result: Result<T, String>) {
    if let Err(text) = result {
        assert!(!text.is_empty());
    }
}

#[test]
fn a_creator_whose_semaphores_are_meddled_with_is_not_kept() {
    apart(|| {
        // Whoever may, sets every fresh semaphore that it sees, before the creator can mark the set.
        let evil = || {
            for set in crate::common::apart::sets() {
                let _ = sysv::semctl_setval(SemId::from_raw(set), 0, 1);
                let _ = sysv::semctl_setval(SemId::from_raw(set), 3, 1);
            }
        };
        beside(evil, || {
            for _ in 0..300 {
                alarm::set(PATIENCE);
                let options = mpmc::Options::new().capacity(1).mode(0o666);
                match options.create::<u64>(Name::Private) {
                    Ok(ring) => assert_eq!(ring.capacity(), 1),
                    Err(error) => assert_eq!(ledger::of_error(&error), ledger::Met::Kernel),
                }
            }
        });
    });
}

/// Of the books that a scribbler has spoiled, the account is still one.
#[test]
fn any_role_is_told_of() {
    apart(|| {
        let ring = mpmc::Ring::<u64>::private(1).unwrap();
        let id = ring.id().unwrap();
        let raw = Raw::attach(id_of(ring.id()));
        for number in 0..64 {
            raw.set(4096 + number * 128, 8, u64::MAX - number as u64 % 4);
        }
        let status = ringpipe::status(&id).unwrap();
        assert!(
            status
                .participants
                .iter()
                .any(|one| one.role == Role::Consumer)
        );
        assert!(status.participants.iter().all(|one| !one.alive));
    });
}

/// A word in the middle of free ones says that it was claimed, which cannot be. It was taken for news, and counted anew for hours.
#[test]
fn an_item_among_free_slots_keeps_nobody_who_wants_room_for_many() {
    apart(|| {
        for (kind, lap) in [(2, 0_u64), (3, 0), (4, 0), (2, 1), (0, 1)] {
            let options = mpmc::Options::new().capacity(8).participants(2);
            let ring = options.create::<u64>(Name::Private).unwrap();
            let raw = Raw::attach(id_of(ring.id()));
            raw.set(4096 + 2 * 128 + 5 * 8, 8, kind | lap << 24);
            in_time(|| {
                let mut tx = ring.producer().unwrap();
                let end = tx.reserve_timeout(8, SHORT).map(|room| room.len());
                assert!(matches!(end, Err(PushTimeoutError::Timeout(()))), "{end:?}");
            })
            .join();
        }
    });
}
