//! Four producers and four consumers, killed, stopped and replaced at random, and an account of every item.
//!
//! What a producer's push has returned for is delivered; nothing is delivered twice, unless a consumer was killed between
//! taking it into account and releasing it, and then it says so; a run stays together and is there whole or not at all;
//! each consumer gets the items of each producer in order. `RINGPIPE_STRESS` multiplies the kills.
#![allow(missing_docs)]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::dice::Dice;
use common::ledger::{CLAIMING, Ledger, POPPING, Parcel, QUOTA, RUN_OF, TWICE, Tag, WORKERS};
use common::{Child, forked, times, watched};
use nix::sys::signal::Signal;
use ringpipe::mpmc::{Consumer, OnDrop, Producer, Ring};
use ringpipe::{PopError, Strategy};

/// The longest run.
const RUN: usize = 4;

fn strategy(dice: &mut Dice) -> Strategy {
    [Strategy::Sleep, Strategy::SpinThenSleep][dice.below(2)]
}

fn produce(ring: &Ring<Parcel>, producer: usize, ledger: Ledger, mut dice: Dice) {
    let mut tx = ring.producer().unwrap();
    tx.set_strategy(strategy(&mut dice));
    let mut first = 0;
    while first < QUOTA && ledger.notes.get(ledger.over()) == 0 {
        let len = (1 + dice.below(RUN)).min(QUOTA - first);
        let tags = (first..first + len).map(|number| Tag {
            producer,
            number,
            first,
            len,
        });
        let parcels: Vec<Parcel> = tags.map(Tag::parcel).collect();
        if !push_run(&mut tx, &parcels, &mut dice) {
            continue;
        }
        first += len;
        ledger.notes.set(ledger.pushed(producer), first as u64);
    }
}

/// Whether the run was pushed.
fn push_run(tx: &mut Producer<Parcel>, run: &[Parcel], dice: &mut Dice) -> bool {
    match dice.below(4) {
        0 if run.len() == 1 => tx.push(run[0]).unwrap(),
        0 => {
            // As much as there is room for may be less: then it is another run.
            let mut room = match tx.try_reserve(run.len()) {
                Ok(room) if room.len() == run.len() => room,
                _ => return false,
            };
            room.write(run);
            room.commit_written();
        }
        1 => {
            let mut room = tx.reserve((run.len() + dice.below(2)).min(RUN)).unwrap();
            room.write(run);
            dice.pause(Duration::from_micros(50));
            room.commit_written();
        }
        _ => tx.push_slice(run).unwrap(),
    }
    true
}

/// One consumer's view of what it gets.
struct Taker {
    rx: Consumer<Parcel>,
    who: usize,
    ledger: Ledger,
    dice: Dice,
    /// The last new item of each producer.
    last: HashMap<usize, usize>,
}

impl Taker {
    /// Takes until the feed ends.
    fn work(mut self) {
        while self.take().is_ok() {}
    }

    fn intend(&self, what: u64) {
        self.ledger.notes.set(self.who, what);
    }

    fn take(&mut self) -> Result<(), PopError> {
        let n = 1 + self.dice.below(RUN);
        let result = match self.dice.below(32) {
            0 => self.pop(),
            1..16 if self.pop_some(n) => Ok(()),
            _ => self.claim(n),
        };
        assert!(
            matches!(result, Ok(()) | Err(PopError::Disconnected)),
            "{result:?}"
        );
        self.intend(0);
        result
    }

    /// Rarely: killed while it waits, it would seem to have been killed with an item.
    fn pop(&mut self) -> Result<(), PopError> {
        self.intend(POPPING | 1);
        let parcel = self.rx.pop()?;
        self.note(&[parcel], self.rx.redelivered());
        Ok(())
    }

    /// Whether there was something.
    fn pop_some(&mut self, n: usize) -> bool {
        self.intend(POPPING | n as u64);
        let mut into = [[0; 3]; RUN];
        let count = match n {
            1 => self
                .rx
                .try_pop()
                .map(|parcel| into[0] = parcel)
                .map_or(0, |()| 1),
            _ => self.rx.try_pop_slice(&mut into[..n]).unwrap_or(0),
        };
        self.note(&into[..count], self.rx.redelivered());
        self.intend(0);
        count > 0
    }

    /// Claims some, takes a part of them into account, and puts the others back.
    fn claim(&mut self, n: usize) -> Result<(), PopError> {
        let mut claim = self.rx.claim(n)?;
        let parcels: Vec<Parcel> = claim.iter().copied().collect();
        let again = claim.redelivered();
        self.dice.pause(Duration::from_micros(50));
        let done = if self.dice.below(4) > 0 {
            parcels.len()
        } else {
            self.dice.below(parcels.len() + 1)
        };
        self.ledger.notes.set(self.who, CLAIMING | done as u64);
        let ledger = self.ledger;
        parcels[..done]
            .iter()
            .for_each(|parcel| ledger.deliver(*parcel, again));
        if done == 0 {
            claim.set_on_drop(OnDrop::PutBack);
            drop(claim);
        } else {
            claim.release(done);
        }
        self.check(&parcels, again);
        Ok(())
    }

    fn note(&mut self, parcels: &[Parcel], again: bool) {
        parcels
            .iter()
            .for_each(|parcel| self.ledger.deliver(*parcel, again));
        self.check(parcels, again);
    }

    /// That runs are together, and that what is new is in order.
    fn check(&mut self, parcels: &[Parcel], again: bool) {
        let tags: Vec<Tag> = parcels.iter().map(|parcel| Tag::of(*parcel)).collect();
        for pair in tags.windows(2) {
            let next = Tag {
                number: pair[0].number + 1,
                ..pair[0]
            };
            let inside = pair[0].number + 1 < pair[0].first + pair[0].len;
            assert!(
                if inside {
                    pair[1] == next
                } else {
                    pair[1].number == pair[1].first
                },
                "{pair:?}"
            );
        }
        for tag in tags.iter().filter(|_| !again) {
            let last = self.last.insert(tag.producer, tag.number);
            assert!(
                last.is_none_or(|last| last < tag.number),
                "{last:?} {tag:?}"
            );
        }
    }
}

/// What may be missing, and what may have come twice, because of those who were killed.
#[derive(Debug, Default)]
struct Allowed {
    missing: u64,
    twice: u64,
}

/// The ring and those who work at it.
struct Yard {
    ring: Ring<Parcel>,
    ledger: Ledger,
    dice: Dice,
    workers: Vec<Child>,
    producers: usize,
    allowed: Allowed,
}

impl Yard {
    fn hire(&mut self, who: usize) -> Child {
        let (ledger, dice) = (self.ledger, Dice::new(self.dice.word()));
        if who.is_multiple_of(2) {
            self.producers += 1;
            return forked(|| produce(&self.ring, self.producers - 1, ledger, dice));
        }
        ledger.notes.set(who, 0);
        forked(|| {
            let mut dice = dice;
            let mut rx = self.ring.consumer().unwrap();
            rx.set_strategy(strategy(&mut dice));
            let last = HashMap::new();
            Taker {
                rx,
                who,
                ledger,
                dice,
                last,
            }
            .work();
        })
    }

    /// Kills, stops and replaces, so many times or until there have been as many producers as there can be.
    fn rage(&mut self, times: usize) {
        for _ in 0..times {
            self.dice.pause(Duration::from_millis(2));
            self.replace_the_done();
            let who = self.dice.below(WORKERS);
            if self.dice.below(3) == 0 {
                self.workers[who].signal(Signal::SIGSTOP);
                self.dice.pause(Duration::from_millis(2));
                self.workers[who].signal(Signal::SIGCONT);
            } else if self.producers + 1 < self.ledger.producers {
                self.kill(who);
            }
        }
    }

    fn kill(&mut self, who: usize) {
        self.workers.remove(who).kill_or_join();
        if !who.is_multiple_of(2) {
            let note = self.ledger.notes.get(who);
            let n = note & 0xffff_ffff;
            match note - n {
                POPPING => self.allowed.missing += n,
                CLAIMING => self.allowed.twice += n,
                _ => {}
            }
        }
        let successor = self.hire(who);
        self.workers.insert(who, successor);
    }

    /// Producers that have pushed their quota are followed by others.
    fn replace_the_done(&mut self) {
        for who in (0..WORKERS).step_by(2) {
            if self.producers + 1 < self.ledger.producers && self.workers[who].has_ended() {
                self.workers[who] = self.hire(who);
            }
        }
    }

    /// Lets everybody come to an end; nothing may be left.
    fn finish(&mut self, tx: Producer<Parcel>, mut rx: Consumer<Parcel>) {
        self.ledger.notes.set(self.ledger.over(), 1);
        for who in (0..WORKERS).rev().step_by(2) {
            self.workers.remove(who - 1).join();
        }
        drop(tx);
        self.workers.drain(..).for_each(Child::join);
        assert!(
            rx.pop() == Err(PopError::Disconnected),
            "they took all there was"
        );
    }

    fn audit(&self) {
        let (mut missing, mut extra, mut all) = (0, 0, 0);
        for producer in 0..self.producers {
            let pushed = self.ledger.notes.get(self.ledger.pushed(producer)) as usize;
            let end = self.end_of(producer, pushed);
            for number in 0..QUOTA {
                let cell = self
                    .ledger
                    .notes
                    .get(self.ledger.delivered(producer, number));
                let (new, again) = (cell % TWICE, cell % RUN_OF / TWICE);
                assert!(
                    new <= 1,
                    "item {number} of {producer} came {new} times as a new one"
                );
                assert!(
                    number < end || cell == 0,
                    "item {number} of {producer} was not pushed"
                );
                missing += u64::from(number < end && cell == 0);
                extra += (new + again).saturating_sub(1);
                all += new + again;
            }
        }
        println!(
            "{all} delivered by {} producers; {missing} missing, {extra} twice: {:?}",
            self.producers, self.allowed
        );
        assert!(missing <= self.allowed.missing && extra <= self.allowed.twice);
    }

    /// How many items of a producer there were: those that it knew of, and perhaps the run at which it was killed.
    fn end_of(&self, producer: usize, pushed: usize) -> usize {
        let runs = (pushed..(pushed + RUN).min(QUOTA)).map(|number| {
            self.ledger
                .notes
                .get(self.ledger.delivered(producer, number))
                / RUN_OF
        });
        let Some(run) = runs.into_iter().find(|run| *run != 0) else {
            return pushed;
        };
        assert_eq!((run >> 8) as usize, pushed, "the next run");
        pushed + (run & 0xff) as usize
    }
}

fn stress(test: &'static str, capacity: usize) {
    let (place, _watchdog) = watched(test);
    let ring = Ring::create(place.path(), capacity).unwrap();
    let kills = 500 * times("RINGPIPE_STRESS") as usize;
    // So that the feed does not end while one is replaced.
    let (tx, rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let mut yard = Yard {
        ring,
        ledger: Ledger::new(kills * 2 + WORKERS),
        dice: Dice::seeded(test),
        workers: Vec::new(),
        producers: 0,
        allowed: Allowed::default(),
    };
    for who in 0..WORKERS {
        let worker = yard.hire(who);
        yard.workers.push(worker);
    }
    yard.rage(kills);
    yard.finish(tx, rx);
    yard.audit();
}

#[test]
fn every_item_is_accounted_for_where_all_have_to_wait() {
    stress("a small ring", 5);
}

#[test]
fn every_item_is_accounted_for_where_hardly_anybody_waits() {
    stress("a large ring", 1000);
}
