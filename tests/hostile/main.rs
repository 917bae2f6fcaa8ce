//! Peers that may write to a ring's segment and semaphores, and keep to no rule.
//!
//! In each round one process scribbles over a fresh ring, with random and with chosen values, while others use it by every operation
//! that there is. Theirs must be an answer to each call, within its time: what was asked for, with whatever bytes, or an error that is
//! documented. Never a signal, a panic, or a look outside of the segment (beside one that is inherited,
//! pages without access say so; `ci/asan.sh` looks at all other memory).
//!
//! `RINGPIPE_SEED` repeats a run, as far as the scheduler does; `RINGPIPE_HOSTILE=20` makes it twenty times as long.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "a result is asked what it is and not used again"
)]

#[path = "../common/mod.rs"]
mod common;
mod fence;
mod ledger;
mod pairs;
mod relentless;
mod scribbler;
mod shared;
mod streams;
mod victims;

use std::thread;
use std::time::Duration;

use common::apart::apart;
use common::dice::Dice;
use common::{Child, Shared, forked, times};
use ringpipe::sysv::ShmId;
use ringpipe::{Error, Name, Status, mpmc, spsc, stream};
use scribbler::{Scribbler, Target};
use victims::Watch;

/// Rounds of one test, and how long one lasts.
const ROUNDS: u64 = 16;
const ROUND: Duration = Duration::from_millis(80);
/// Then, for how long there are calls without a timeout, until the semaphores are removed.
const ENDLESS: Duration = Duration::from_millis(30);

/// Runs rounds, each in an IPC namespace of its own; where there can be none, in that of all.
fn rounds(test: &'static str, round: impl Fn(&mut Dice, Shared)) {
    let notes = Shared::with(ledger::NOTES);
    let mut dice = Dice::seeded(test);
    for _ in 0..ROUNDS * times("RINGPIPE_HOSTILE") {
        let mut seeded = Dice::new(dice.word());
        notes.set(ledger::OVER, 0);
        apart(|| {
            fence::ahead();
            round(&mut seeded, notes);
        });
        notes.add(ledger::ROUNDS);
    }
    ledger::report(test, notes);
}

fn target(status: &Status) -> Target {
    Target {
        segment: status.id,
        set: status.set.unwrap(),
        participants: status.participant_limit,
        words: if status.kind == "mpmc" {
            status.capacity
        } else {
            0
        },
        capacity: status.capacity,
        size: status.segment_size,
    }
}

/// What a process of ours does.
type Victim<'a> = Box<dyn Fn(&mut Watch) + 'a>;

/// One round: the scribbler, `victims` of ours, and one that looks at the ring from outside.
fn round(dice: &mut Dice, notes: Shared, id: &Name, victims: Vec<Victim<'_>>) {
    let target = target(&ringpipe::status(id).unwrap());
    fence::around_segments();
    let evil = Dice::new(dice.word());
    let scribbler = forked(|| Scribbler::new(target, evil, notes).run());
    let ours: Vec<_> = (0..)
        .zip(&victims)
        .map(|(slot, victim)| {
            let own = Dice::new(dice.word());
            forked(|| victim(&mut Watch::new(notes, own, slot, ROUND)))
        })
        .collect();
    let own = Dice::new(dice.word());
    let observer = forked(|| observe(&mut Watch::new(notes, own, victims.len(), ROUND), target));
    thread::sleep(ROUND + ENDLESS);
    notes.set(ledger::OVER, 1);
    for child in ours.into_iter().chain([observer]) {
        joined(child, notes);
    }
    scribbler.join();
    // Whatever it is now: it can be taken away.
    let _ = ringpipe::remove(id);
    let _ = ringpipe::collect(&[], false).unwrap();
    let _ = ringpipe::sysv::shmctl_rmid(target.segment);
    let _ = ringpipe::sysv::semctl_rmid(target.set);
}

/// Waits for one of ours. If it came to a bad end, the calls say at what.
fn joined(child: Child, notes: Shared) {
    let doing: Vec<_> = (0..ledger::PROCESSES)
        .map(|slot| ledger::DOING + slot)
        .collect();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| child.join()));
    if let Err(why) = ended {
        let calls: Vec<_> = doing.iter().map(|slot| notes.get(*slot)).collect();
        eprintln!("the calls under way: {calls:?}");
        notes.set(ledger::OVER, 1);
        std::panic::resume_unwind(why);
    }
}

/// Who looks from outside: takes no part, and believes nothing.
fn observe(watch: &mut Watch, target: Target) {
    let id = Name::Id(target.segment);
    while !watch.is_over() {
        watch.opened(130, || ringpipe::status(&id).inspect(ledger::check_status));
        watch.opened(131, || {
            let all = ringpipe::list();
            all.inspect(|all| all.iter().for_each(ledger::check_status))
        });
        watch.opened(132, || ringpipe::collect(&[], true));
        if watch.dice.below(4) == 0 {
            watch.opened(133, || ringpipe::collect(&[], false));
        }
    }
}

fn id_of(name: Option<Name>) -> ShmId {
    let Some(Name::Id(id)) = name else {
        panic!("it has an id");
    };
    id
}

#[test]
fn pairs_outlive_a_peer_that_scribbles() {
    rounds("pairs_outlive_a_peer_that_scribbles", |dice, notes| {
        let capacity = [1, 2, 3, 8, 64, 1000][dice.below(6)];
        let ring = spsc::Ring::<u64>::private(capacity).unwrap();
        let id = Name::Id(id_of(ring.id()));
        let anew = dice.below(2) == 0;
        let open = || -> Result<_, Error> {
            if anew {
                spsc::Ring::open(&id)
            } else {
                Ok(ring.clone())
            }
        };
        let victims: Vec<Victim<'_>> = vec![
            Box::new(|watch| pairs::produce(watch, open)),
            Box::new(|watch| pairs::consume(watch, open)),
        ];
        round(dice, notes, &id, victims);
    });
}

#[test]
fn shared_rings_outlive_a_peer_that_scribbles() {
    rounds(
        "shared_rings_outlive_a_peer_that_scribbles",
        |dice, notes| {
            let capacity = [1, 2, 3, 8, 64, 5000][dice.below(6)];
            let policy = [
                ringpipe::DeadConsumer::Redeliver,
                ringpipe::DeadConsumer::Drop,
            ];
            let options = mpmc::Options::new()
                .capacity(capacity)
                .participants([4, 5, 40][dice.below(3)])
                .dead_consumer(policy[dice.below(2)]);
            let ring = options.create::<u64>(Name::Private).unwrap();
            let id = Name::Id(id_of(ring.id()));
            let anew = dice.below(2) == 0;
            let open = || -> Result<_, Error> {
                if anew {
                    mpmc::Ring::open(&id)
                } else {
                    Ok(ring.clone())
                }
            };
            let victims: Vec<Victim<'_>> = vec![
                Box::new(|watch| shared::produce(watch, open)),
                Box::new(|watch| shared::produce(watch, open)),
                Box::new(|watch| shared::consume(watch, open)),
                Box::new(|watch| shared::consume(watch, open)),
            ];
            round(dice, notes, &id, victims);
        },
    );
}

#[test]
fn streams_outlive_a_peer_that_scribbles() {
    rounds("streams_outlive_a_peer_that_scribbles", |dice, notes| {
        let options = stream::Options::new()
            .capacity([4096, 5000, 65536][dice.below(3)])
            .participants([4, 9, 40][dice.below(3)]);
        let fifo = options.create(Name::Private).unwrap();
        let id = Name::Id(id_of(fifo.id()));
        let anew = dice.below(2) == 0;
        let open = || -> Result<_, Error> {
            if anew {
                stream::Fifo::open(&id)
            } else {
                Ok(fifo.clone())
            }
        };
        let victims: Vec<Victim<'_>> = vec![
            Box::new(|watch| streams::write(watch, open)),
            Box::new(|watch| streams::write(watch, open)),
            Box::new(|watch| streams::read(watch, open)),
            Box::new(|watch| streams::read(watch, open)),
        ];
        round(dice, notes, &id, victims);
    });
}
