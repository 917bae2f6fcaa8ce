//! A ring that several share, one of whom may be killed.

use std::thread;
use std::time::{Duration, Instant};

use ringpipe::mpmc::{Consumer, Producer, Ring};
use ringpipe::{PopError, PopTimeoutError, PushError, Role};

use super::accounts::Accounts;
use super::heirs::die;
use super::play::{ALL, Play};
use super::{BESIDES, CAPACITY, Hands, SLEEPERS, VICTIMS};
use super::{as_good_as_new, begin_with, consumer, drain, fill, made, producer};
use crate::common::forked;
use crate::items::{Item, item, number};
use crate::scene::{Fate, LONG, Scene, Stage};
use crate::sleeper::{Sleeper, Sleeps};

/// How long each waits in turn where one of them can go on.
const SHORT: Duration = Duration::from_millis(2);

/// What a sleeper comes back with.
enum Woken {
    Producer(Result<(), PushError<Item>>, Producer<Item>),
    Consumer(Result<Item, PopError>, Consumer<Item>),
}

/// Who may sleep.
enum Other {
    Producer(Producer<Item>, Item),
    Consumer(Consumer<Item>),
}

impl Other {
    fn sleep(self) -> Woken {
        match self {
            Self::Producer(mut tx, item) => Woken::Producer(tx.push(item), tx),
            Self::Consumer(mut rx) => Woken::Consumer(rx.pop(), rx),
        }
    }
}

/// The number of a sleeper's item.
fn sleepers(n: usize) -> u64 {
    SLEEPERS + VICTIMS * n as u64
}

/// One ring with those who share it.
pub(super) struct Crowd<'a> {
    play: &'a Play,
    ring: Ring<Item>,
    producer: Option<Producer<Item>>,
    consumer: Option<Consumer<Item>>,
    others: Vec<Other>,
    sleepers: Vec<Sleeper<Woken>>,
    /// Of those who slept: whether each has got, or brought, its item.
    served: Vec<bool>,
    accounts: Accounts,
    /// How many items the producer beside the victim has pushed.
    pushed: u64,
    /// Whether something was pushed that a victim waits for.
    given: bool,
}

pub(super) fn sweep(name: &'static str, play: Play) {
    crate::sweep::sweep(name, || Crowd::new(&play));
}

impl<'a> Crowd<'a> {
    fn new(play: &'a Play) -> Self {
        let ring = made(play.policy);
        let first = play.before + play.filled;
        let mut tx = play.producer.then(|| producer(&ring));
        let mut rx = play.consumer.then(|| consumer(&ring));
        begin_with(&ring, &mut tx, &mut rx, (play.before, first));
        let mut accounts = Accounts::default();
        accounts.push(play.before..first);
        let other = |n: u32| match play.sleepers.0 {
            Role::Producer => Other::Producer(producer(&ring), item(sleepers(n as usize))),
            Role::Consumer => Other::Consumer(consumer(&ring)),
        };
        Self {
            play,
            producer: tx.filter(|_| play.producer),
            consumer: rx.filter(|_| play.consumer),
            others: (0..play.sleepers.1).map(other).collect(),
            sleepers: vec![],
            served: vec![],
            ring,
            accounts,
            pushed: 0,
            given: false,
        }
    }

    /// The producer beside the victim pushes what it can, at most so many; returns how many.
    fn fill(&mut self, most: u64) -> u64 {
        let Some(tx) = &mut self.producer else {
            return 0;
        };
        let filled = fill(tx, BESIDES + self.pushed, most);
        self.note_pushed(filled);
        filled
    }

    /// It pushes one more, waiting for room; the consumer takes what is in the way.
    fn push(&mut self) {
        let begin = Instant::now();
        while let Some(tx) = &mut self.producer {
            let item = item(BESIDES + self.pushed);
            if tx.push_timeout(item, SHORT).is_ok() {
                return self.note_pushed(1);
            }
            assert!(begin.elapsed() < LONG, "there is no room");
            let _ = self.take(SHORT); // what there is
        }
    }

    fn note_pushed(&mut self, count: u64) {
        let first = BESIDES + self.pushed;
        self.accounts.push(first..first + count);
        self.pushed += count;
    }

    /// The consumer beside the victim takes what there is, at most so many; returns how many.
    fn drain(&mut self, most: u64) -> u64 {
        let before = self.accounts.count();
        if let Some(rx) = &mut self.consumer {
            drain(rx, most, |number, again| self.accounts.come(number, again));
        }
        self.accounts.count() - before
    }

    fn maybe_sleep(&mut self, now: Sleeps) {
        if self.play.sleeps != now {
            return;
        }
        let status = self.ring.status().unwrap();
        let set = status.unwrap().set.unwrap();
        for other in self.others.drain(..) {
            self.sleepers.push(Sleeper::new(set, move || other.sleep()));
        }
    }

    /// Whether those who go to sleep now have something to wait for: an item, room, or the end of a role.
    fn more_to_come(&self) -> bool {
        let whole = self.play.whole();
        whole == 0
            || match self.play.role {
                Role::Producer => self.accounts.of_victim() < whole,
                Role::Consumer => self.accounts.left() < whole + CAPACITY,
            }
    }

    /// All who slept are awake: with what they waited for, or because nobody is left who could bring it.
    fn wake(&mut self) {
        for (n, sleeper) in std::mem::take(&mut self.sleepers).into_iter().enumerate() {
            let served = match sleeper.awake() {
                Woken::Producer(Ok(()), tx) => {
                    self.accounts.push([sleepers(n)]);
                    drop(tx);
                    true
                }
                Woken::Consumer(Ok(item), rx) => {
                    self.accounts.come_aside(number(item), rx.redelivered());
                    true
                }
                Woken::Producer(Err(PushError::Disconnected(_)), _) if !self.play.consumer => false,
                Woken::Consumer(Err(PopError::Disconnected), _) if !self.play.producer => false,
                Woken::Producer(Err(other), _) => panic!("{other:?}"),
                Woken::Consumer(Err(other), _) => panic!("{other:?}"),
            };
            self.served.push(served);
        }
    }

    /// Of one who slept with nobody else beside, it is known what it must have got.
    fn check_served(&self) {
        let alone = !self.play.producer && !self.play.consumer;
        if let [served] = self.served[..]
            && alone
            && self.play.sleeps == Sleeps::Before
        {
            let expected = match self.play.sleepers.0 {
                Role::Producer => self.play.filled == 0 || self.accounts.left() > 0,
                Role::Consumer => self.accounts.count() > 0,
            };
            assert_eq!(served, expected);
        }
    }

    /// So many items have passed: as many sleepers have what they waited for.
    fn await_sleepers(&self, items: u64) {
        let begin = Instant::now();
        let awake = || self.sleepers.iter().filter(|sleeper| sleeper.is_awake());
        while awake().count() < self.sleepers.len().min(items as usize) {
            assert!(begin.elapsed() < LONG, "nobody woke the sleepers");
            thread::yield_now();
        }
    }

    /// Gives those who sleep what they wait for, so that they wake if no wake-up was lost.
    fn help_sleepers(&mut self) {
        match self.play.sleepers.0 {
            Role::Consumer => (0..self.sleepers.len()).for_each(|_| self.push()),
            Role::Producer => {
                let begin = Instant::now();
                let waiting = |crowd: &Self| !crowd.sleepers.iter().all(Sleeper::is_awake);
                while self.consumer.is_some() && waiting(self) {
                    assert!(begin.elapsed() < LONG, "nobody woke the sleepers");
                    let _ = self.take(SHORT); // what is in the way
                }
            }
        }
    }

    /// Everything that is left comes: first what the other producer pushes last, then the end.
    fn settle(&mut self) {
        let ring = &self.ring;
        self.consumer.get_or_insert_with(|| consumer(ring));
        self.drain(ALL);
        if self.producer.is_some() {
            self.push();
            let last = BESIDES + self.pushed - 1;
            while !self.accounts.has_come(last) {
                assert_eq!(self.take(LONG), Ok(()));
            }
        }
        drop(self.producer.take());
        while self.take(LONG).is_ok() {}
        assert_eq!(self.take(LONG), Err(PopTimeoutError::Disconnected));
        drop(self.consumer.take());
    }

    /// The consumer takes one item, waiting for it.
    fn take(&mut self, timeout: Duration) -> Result<(), PopTimeoutError> {
        let rx = self.consumer.as_mut().expect("there is one");
        let item = rx.pop_timeout(timeout)?;
        self.accounts.come(number(item), rx.redelivered());
        Ok(())
    }

    fn check_deaths(&self, fate: Fate, (producers, consumers): (u32, u32)) {
        for (role, deaths) in [(Role::Producer, producers), (Role::Consumer, consumers)] {
            let before = self.play.dead_of(role);
            // Of one who was killed while it cleared up nobody knows whether it had counted the dead one: it is counted again.
            let twice = if fate == Fate::Killed { before } else { 0 };
            let known = (deaths - before).saturating_sub(twice)..=deaths - before;
            let expected: &[u32] = if role == self.play.role && fate == Fate::Killed {
                self.play.deaths
            } else {
                &[0]
            };
            assert!(expected.iter().any(|n| known.contains(n)), "{deaths} died");
        }
    }
}

impl Scene for Crowd<'_> {
    fn victim(&self, stage: Stage) {
        (self.play.act)(&Hands {
            ring: &self.ring,
            items: std::array::from_fn(|n| item(VICTIMS + n as u64)),
            stage,
        });
    }

    fn ready(&mut self) {
        if let Some((role, slots)) = self.play.dead {
            forked(|| die(&self.ring, role, slots)).join();
        }
        assert_eq!(self.fill(self.play.behind), self.play.behind);
        self.maybe_sleep(Sleeps::Before);
    }

    fn rouse(&mut self) {
        match self.play.role {
            Role::Producer => drop(self.drain(ALL)),
            Role::Consumer if !self.given => self.given = self.fill(1) == 1,
            Role::Consumer => {}
        }
    }

    fn meanwhile(&mut self, _: Stage) {
        let taken = self.drain(self.play.share());
        match self.play.role {
            Role::Producer => {
                let filled = self.fill(2);
                assert!(
                    filled >= self.play.free || self.producer.is_none(),
                    "{filled} pushed"
                );
                self.drain(ALL);
            }
            Role::Consumer if self.play.ends => {
                self.rouse();
                drop(self.producer.take());
            }
            Role::Consumer => {
                assert!(
                    taken >= self.play.spare || self.consumer.is_none(),
                    "{taken} taken"
                );
                self.given = self.fill(CAPACITY) > 0;
            }
        }
        if self.more_to_come() {
            self.maybe_sleep(Sleeps::Meanwhile);
        }
    }

    fn over(&mut self) {
        if self.play.sleepers.0 == Role::Producer {
            self.help_sleepers();
        }
        self.wake();
        self.drain(ALL);
        let all_there = self.producer.is_some() && self.consumer.is_some();
        if all_there && self.play.dead.is_none() {
            let filled = self.fill(2 * CAPACITY);
            assert_eq!(filled, CAPACITY, "room was lost or won");
            self.drain(ALL);
        }
    }

    fn check(mut self, fate: Fate, stage: Stage) {
        if self.play.sleepers.0 != self.play.role && self.play.sleeps == Sleeps::Before {
            self.await_sleepers(stage.reported());
        }
        self.help_sleepers();
        self.wake();
        self.others.clear();
        self.settle();
        self.accounts.check(self.play, fate, stage);
        self.check_served();
        let deaths = as_good_as_new(&self.ring);
        self.check_deaths(fate, deaths);
    }
}
