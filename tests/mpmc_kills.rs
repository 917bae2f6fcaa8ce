//! Kills, as many as it takes: after them, a shared ring has all of its capacity, its participants' numbers and its quiet.
//!
//! `RINGPIPE_KILLS` says how many; 1000 unless told otherwise.
#![allow(missing_docs)]

mod common;

use std::time::Duration;

use common::dice::Dice;
use common::{Child, Shared, forked, until, watched};
use nix::sys::signal::Signal;
use ringpipe::mpmc::{Consumer, Options, Producer, Ring};
use ringpipe::{DeadConsumer, PeerLoss, Strategy, sysv};

/// How many work at a time: every other one is a producer.
const WORKERS: usize = 8;
/// How many can take part.
const LIMIT: usize = 12;
/// Between two looks at what is left.
const KILLS_PER_ROUND: usize = 125;
/// The longest run that is pushed or taken at once.
const RUN: usize = 3;

fn kills() -> usize {
    let number = std::env::var("RINGPIPE_KILLS").ok();
    number.and_then(|n| n.parse().ok()).unwrap_or(1000)
}

/// An item that tells whether it was ever pushed.
fn sealed(n: u64) -> u64 {
    let n = n & 0xffff_ffff;
    n << 32 | (!n & 0xffff_ffff)
}

fn is_sealed(item: u64) -> bool {
    sealed(item >> 32) == item
}

fn strategy(dice: &mut Dice) -> Strategy {
    [Strategy::Sleep, Strategy::SpinThenSleep][dice.below(2)]
}

fn push_something(tx: &mut Producer<u64>, dice: &mut Dice) {
    let items = [(); RUN].map(|()| sealed(dice.word()));
    let n = 1 + dice.below(RUN);
    match dice.below(5) {
        0 | 1 => tx.push(items[0]).unwrap(),
        2 => tx.push_slice(&items[..n]).unwrap(),
        3 => drop(tx.try_push_slice(&items[..n]).unwrap()),
        _ => {
            let mut room = tx.reserve(n).unwrap();
            room.write(&items);
            dice.pause(Duration::from_micros(50));
            room.commit(dice.below(n + 1));
        }
    }
}

fn take_something(rx: &mut Consumer<u64>, dice: &mut Dice) {
    let mut into = [sealed(0); RUN];
    let n = 1 + dice.below(RUN);
    match dice.below(5) {
        0 | 1 => into[0] = rx.pop().unwrap(),
        2 => drop(rx.pop_slice(&mut into[..n]).unwrap()),
        3 => drop(rx.try_pop_slice(&mut into[..n]).unwrap()),
        _ => {
            let claim = rx.claim(n).unwrap();
            assert!(claim.iter().all(|item| is_sealed(*item)));
            dice.pause(Duration::from_micros(50));
            let done = dice.below(claim.len() + 1);
            claim.release(done);
        }
    }
    assert!(into.iter().all(|item| is_sealed(*item)));
}

/// Works, and now and then leaves and comes back, until it is killed. Counts each thing that it has done.
fn work(ring: &Ring<u64>, who: usize, shared: Shared, mut dice: Dice) -> ! {
    loop {
        let rounds = dice.below(200);
        if who.is_multiple_of(2) {
            let mut tx = ring.producer().unwrap();
            tx.set_peer_loss(PeerLoss::Wait);
            tx.set_strategy(strategy(&mut dice));
            for _ in 0..rounds {
                push_something(&mut tx, &mut dice);
                shared.add(who);
            }
        } else {
            let mut rx = ring.consumer().unwrap();
            rx.set_peer_loss(PeerLoss::Wait);
            rx.set_strategy(strategy(&mut dice));
            for _ in 0..rounds {
                take_something(&mut rx, &mut dice);
                shared.add(who);
            }
        }
    }
}

/// The ring and those who work at it.
struct Yard {
    ring: Ring<u64>,
    shared: Shared,
    dice: Dice,
    workers: Vec<Child>,
}

impl Yard {
    fn new(ring: Ring<u64>, dice: Dice) -> Self {
        Self {
            ring,
            shared: Shared::with(WORKERS),
            dice,
            workers: Vec::new(),
        }
    }

    fn hire(&mut self, who: usize) -> Child {
        let dice = Dice::new(self.dice.word());
        forked(|| work(&self.ring, who, self.shared, dice))
    }

    /// Kills so many, one after the other, each replaced at once; then everybody.
    fn round(&mut self, kills: usize) {
        for who in 0..WORKERS {
            let worker = self.hire(who);
            self.workers.push(worker);
        }
        for _ in WORKERS..kills {
            self.dice.pause(Duration::from_micros(1500));
            let who = self.dice.below(WORKERS);
            let successor = self.hire(who);
            std::mem::replace(&mut self.workers[who], successor).kill();
        }
        self.all_get_on();
        for worker in &self.workers {
            worker.signal(Signal::SIGKILL);
        }
        self.workers.drain(..).for_each(Child::kill);
    }

    /// Until each of those who live has done some more.
    fn all_get_on(&self) {
        for who in 0..WORKERS {
            let before = self.shared.get(who);
            self.shared.until(who, before + 3);
        }
    }

    /// That nobody has left anything that costs the others.
    fn look(&self) {
        let mut rx = self.ring.consumer().unwrap();
        rx.set_peer_loss(PeerLoss::Wait);
        let set = self.ring.status().unwrap().unwrap().set.unwrap();
        for door in [2, 3] {
            let wake_ups = sysv::semctl_getval(set, door).unwrap();
            // As many as a newcomer leaves, and one for each of the dead that it has put away.
            assert!(wake_ups <= 2 * LIMIT as i32, "{wake_ups} wake-ups");
        }
        while let Ok(item) = rx.try_pop() {
            assert!(is_sealed(item));
        }
        let mut tx = self.ring.producer().unwrap();
        let fitting = (0..).take_while(|n| tx.try_push(sealed(*n)).is_ok());
        assert_eq!(fitting.count(), self.ring.capacity());
        for n in 0..self.ring.capacity() as u64 {
            assert_eq!((rx.try_pop(), rx.redelivered()), (Ok(sealed(n)), false));
        }
        assert!(rx.is_empty());
        let others = || (2..LIMIT).map(|_| self.ring.consumer());
        assert!(
            others().collect::<Result<Vec<_>, _>>().is_ok(),
            "all numbers are there"
        );
    }
}

fn kill_them(test: &'static str, capacity: usize, policy: DeadConsumer) {
    let (place, _watchdog) = watched(test);
    let options = Options::new().capacity(capacity).participants(LIMIT);
    let ring = options.dead_consumer(policy).create(place.path()).unwrap();
    let mut yard = Yard::new(ring, Dice::seeded(test));
    // Each of the two tests has its half.
    for _ in 0..kills().div_ceil(2 * KILLS_PER_ROUND) {
        yard.round(KILLS_PER_ROUND);
        yard.look();
    }
    quiet_after(&yard);
}

/// After all those deaths, one push wakes one sleeper, and no more wake-ups are there than before.
fn quiet_after(yard: &Yard) {
    let ring = &yard.ring;
    let set = ring.status().unwrap().unwrap().set.unwrap();
    let wake_ups = || [2, 3].map(|door| sysv::semctl_getval(set, door).unwrap());
    let mut tx = ring.producer().unwrap();
    std::thread::scope(|scope| {
        let mut rx = ring.consumer().unwrap();
        rx.set_strategy(Strategy::Sleep);
        let taken = scope.spawn(move || (rx.pop(), rx));
        until(|| common::asleep(ring, ringpipe::Role::Consumer) == 1);
        assert_eq!(wake_ups()[0], 0);
        tx.push(sealed(1)).unwrap();
        let (item, _rx) = taken.join().unwrap();
        assert_eq!((item, wake_ups()[0]), (Ok(sealed(1)), 0));
    });
}

#[test]
fn capacity_comes_back_whole_after_kills_and_nothing_is_lost() {
    kill_them("kills", 5, DeadConsumer::Redeliver);
}

#[test]
fn capacity_comes_back_whole_after_kills_and_drops() {
    kill_them("kills and drops", 64, DeadConsumer::Drop);
}

/// Each end adds a wake-up for either role, which nobody takes if nobody sleeps.
#[test]
fn wake_ups_of_no_use_do_not_pile_up() {
    let (place, _watchdog) = watched("stray wake-ups");
    let options = Options::new().capacity(4).participants(LIMIT);
    let ring = options.create::<u64>(place.path()).unwrap();
    let set = ring.status().unwrap().unwrap().set.unwrap();
    for n in 0..3000 {
        drop(ring.producer().unwrap());
        if n % 2 == 0 {
            ring.consumer().unwrap().abandon();
        }
        for door in [2, 3] {
            assert!(sysv::semctl_getval(set, door).unwrap() <= LIMIT as i32 + 2);
        }
    }
}
