//! What `tests/loom` plays with: the core on loom's memory, with participants that can be killed.

use crate::item::Item;
use crate::memory::{Board, Readiness, Ready, View};
use crate::parking::Local;
use crate::ring::crew::Sight;
use crate::ring::many::{Hold, Member, Wish};
use crate::ring::roster::{self, State};
use crate::ring::turns::{self, Place, Refusal};
use crate::ring::{
    DeadConsumer, Parking, Patience, PeerLoss, Read, Role, Run, Side, Stop, Strategy, Write,
    anyone_asleep,
};
use crate::sync::Arc;

pub use crate::sync::mortal::mortal;

/// How a wait ended in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vain {
    Gone,
    Interrupted,
}

fn vain(stop: Stop) -> Vain {
    match stop {
        Stop::Gone => Vain::Gone,
        Stop::Interrupted => Vain::Interrupted,
        Stop::TimedOut | Stop::Fault(_) => {
            panic!("a model has no clock and no faults: {stop:?}")
        }
    }
}

fn patience(peer_loss: PeerLoss) -> Patience {
    Patience {
        strategy: Strategy::Sleep,
        peer_loss,
        interruptible: true,
        ..Patience::default()
    }
}

/// A ring in the making: its memory, and the word that says that it can be used.
#[derive(Debug)]
pub struct Draft<T: Item> {
    view: View<T>,
    ready: Ready,
}

impl<T: Item> Draft<T> {
    pub fn new() -> Self {
        Self {
            view: View::modelled(1),
            ready: Ready::new(),
        }
    }

    /// Fills it, and says that it can be used.
    pub fn finish(&self, item: T) {
        self.view.put(0, item);
        self.ready.say();
    }

    /// What it was filled with, if it can be used.
    pub fn open(&self) -> Option<T> {
        (self.ready.look() == Readiness::Ready).then(|| self.view.get(0))
    }
}

impl<T: Item> Default for Draft<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A ring of one producer and one consumer.
#[derive(Clone, Debug)]
pub struct Ring<T: Item> {
    view: View<T>,
    parking: Arc<Local>,
}

impl<T: Item> Ring<T> {
    /// `credits`: whether a death adds the wake-ups that it should.
    pub fn new(capacity: usize, credits: bool) -> Self {
        Self {
            view: View::modelled(capacity),
            parking: Arc::new(Local::with_credits(credits)),
        }
    }

    pub fn producer(&self) -> Option<Producer<T>> {
        let parking = Arc::clone(&self.parking) as Arc<dyn Parking>;
        Side::attach(self.view.clone(), parking)
            .expect("no faults")
            .map(Producer)
    }

    pub fn consumer(&self) -> Option<Consumer<T>> {
        let parking = Arc::clone(&self.parking) as Arc<dyn Parking>;
        Side::attach(self.view.clone(), parking)
            .expect("no faults")
            .map(Consumer)
    }

    /// What the kernel does when the holder of `role` has died, if there is one.
    pub fn bury(&self, role: Role) {
        if self.parking.attached(role) != Ok(0) {
            self.parking.bury(role);
        }
    }

    /// From now on, whoever would sleep in that role is interrupted at once.
    pub fn set_restless(&self, role: Role, restless: bool) {
        self.parking.set_restless(role, restless);
    }

    /// Whether the last holder of `role` ended in good order.
    pub fn finished(&self, role: Role) -> bool {
        roster::entry(self.view.control(), role).state == State::Finished
    }

    /// Sleepers that are counted for a role.
    pub fn sleepers(&self, role: Role) -> bool {
        anyone_asleep(self.view.control(), role)
    }

    pub fn item_count(&self) -> usize {
        crate::ring::len(self.view.control(), self.view.capacity())
    }
}

#[derive(Debug)]
pub struct Producer<T: Item>(Side<T, Write>);

impl<T: Item> Producer<T> {
    pub fn push(&mut self, item: T, peer_loss: PeerLoss) -> Result<(), Vain> {
        if self.0.room(1).expect("no faults") == 0 {
            self.0.wait(1, patience(peer_loss), None).map_err(vain)?;
        }
        self.0.push(item);
        Ok(())
    }

    pub fn push_run(&mut self, items: &[T], peer_loss: PeerLoss) -> Result<(), Vain> {
        if self.0.room(items.len()).expect("no faults") < items.len() {
            self.0
                .wait(items.len(), patience(peer_loss), None)
                .map_err(vain)?;
        }
        self.0.push_run(items);
        Ok(())
    }

    pub fn detach(&self) {
        self.0.detach(true).expect("no faults");
    }
}

#[derive(Debug)]
pub struct Consumer<T: Item>(Side<T, Read>);

impl<T: Item> Consumer<T> {
    pub fn pop(&mut self, peer_loss: PeerLoss) -> Result<T, Vain> {
        if self.0.room(1).expect("no faults") == 0 {
            self.0.wait(1, patience(peer_loss), None).map_err(vain)?;
        }
        Ok(self.0.pop())
    }

    /// Pops as many as `into` is long, together.
    pub fn pop_run(&mut self, into: &mut [T], peer_loss: PeerLoss) -> Result<(), Vain> {
        if self.0.room(into.len()).expect("no faults") < into.len() {
            self.0
                .wait(into.len(), patience(peer_loss), None)
                .map_err(vain)?;
        }
        self.0.pop_run(into);
        Ok(())
    }

    pub fn try_pop(&mut self) -> Option<T> {
        (self.0.room(1).expect("no faults") > 0).then(|| self.0.pop())
    }

    pub fn detach(&self) {
        self.0.detach(true).expect("no faults");
    }
}

/// A ring whose roles are shared, as one process has it.
#[derive(Clone, Debug)]
pub struct Crowd<T: Item> {
    board: Board,
    items: View<T>,
    policy: DeadConsumer,
    parking: Arc<Local>,
}

impl<T: Item> Crowd<T> {
    pub fn new(participants: usize, capacity: usize, policy: DeadConsumer) -> Self {
        Self {
            board: Board::modelled(participants, capacity),
            items: View::modelled(capacity),
            policy,
            parking: Arc::new(Local::new()),
        }
    }

    /// The same without the wake-ups that a death adds.
    pub fn without_credits(participants: usize, capacity: usize) -> Self {
        Self {
            parking: Arc::new(Local::with_credits(false)),
            ..Self::new(participants, capacity, DeadConsumer::Redeliver)
        }
    }

    /// The ring as another process has it, which can die.
    pub fn process(&self, process: u32) -> Self {
        Self {
            parking: Arc::new(self.parking.of_process(process)),
            ..self.clone()
        }
    }

    /// What the kernel does when this process has died.
    pub fn die(&self) {
        self.parking.die();
    }

    /// From now on, whoever would sleep in that role is interrupted at once.
    pub fn set_restless(&self, role: Role, restless: bool) {
        self.parking.set_restless(role, restless);
    }

    /// Takes part; `None` if there are as many as there can be.
    pub fn join(&self, role: Role) -> Option<Hand<T>> {
        let (board, parking) = (self.board.clone(), Arc::clone(&self.parking));
        let member = Member::join(board, parking, self.policy, role).expect("no faults")?;
        Some(Hand {
            member,
            items: self.items.clone(),
            held: None,
        })
    }
}

/// A participant. It leaves when told to, or dies with its process.
#[derive(Debug)]
pub struct Hand<T: Item> {
    member: Member,
    items: View<T>,
    held: Option<Hold>,
}

impl<T: Item> Hand<T> {
    fn claim(&mut self, least: usize, most: usize, peer_loss: PeerLoss) -> Result<Hold, Vain> {
        let wish = Wish { least, most };
        // As the handles do: at once, without any barrier, if nothing is in the way.
        if let Some(hold) = self.member.claim_next(self.member.role(), wish) {
            return Ok(hold);
        }
        let waited = self.member.wait(wish, patience(peer_loss), None);
        waited.map_err(vain)
    }

    fn slots(hold: Hold) -> Run {
        Run {
            slot: hold.place.slot,
            len: hold.len,
        }
    }

    /// Pushes as one run.
    pub fn push(&mut self, items: &[T], peer_loss: PeerLoss) -> Result<(), Vain> {
        let hold = self.claim(items.len(), items.len(), peer_loss)?;
        self.items.put_run(Self::slots(hold), items);
        self.member.publish(hold, items.len());
        Ok(())
    }

    /// Reserves room for as many as there are, and fills it.
    pub fn reserve(&mut self, items: &[T]) -> Result<(), Vain> {
        let hold = self.claim(items.len(), items.len(), PeerLoss::Wait)?;
        self.fill(hold, items);
        Ok(())
    }

    /// The same if there is room at once.
    pub fn try_reserve(&mut self, items: &[T]) -> bool {
        let wish = Wish {
            least: items.len(),
            most: items.len(),
        };
        let claimed = self.member.claim_next(self.member.role(), wish);
        claimed.is_some_and(|hold| {
            self.fill(hold, items);
            true
        })
    }

    fn fill(&mut self, hold: Hold, items: &[T]) {
        self.member.keep_hold(hold);
        self.items.put_run(Self::slots(hold), items);
        self.held = Some(hold);
    }

    /// Publishes the first `n` of what was reserved, and gives the others back.
    pub fn commit(&mut self, n: usize) {
        let hold = self.held.take().expect("room was reserved");
        self.member.publish(hold, n);
    }

    /// Pops what there is, up to `most`; besides, whether somebody had it before.
    pub fn pop(&mut self, most: usize, peer_loss: PeerLoss) -> Result<(Vec<T>, bool), Vain> {
        let hold = self.claim(1, most, peer_loss)?;
        let items = self.read(hold);
        self.member.release(hold, hold.len);
        Ok((items, hold.redelivered))
    }

    fn read(&self, hold: Hold) -> Vec<T> {
        let mut items = vec![T::new_zeroed(); hold.len];
        self.items.get_run(Self::slots(hold), &mut items);
        items
    }

    /// Claims what there is, up to `most`, to hold it.
    pub fn hold(&mut self, most: usize) -> Result<Vec<T>, Vain> {
        let hold = self.claim(1, most, PeerLoss::Disconnect)?;
        self.member.keep_hold(hold);
        self.held = Some(hold);
        Ok(self.read(hold))
    }

    /// Releases the first `n` of what is held, and returns the others.
    pub fn release(&mut self, n: usize) {
        let hold = self.held.take().expect("something is held");
        self.member.release(hold, n);
    }

    /// Whether as many items fit now.
    pub fn fits(&mut self, n: usize) -> bool {
        let wish = Wish { least: n, most: n };
        let found = self.member.poll(wish, patience(PeerLoss::Wait));
        match found.map_err(vain).expect("no end is told of") {
            Some(hold) => {
                self.member.publish(hold, 0);
                true
            }
            None => false,
        }
    }

    pub fn leave(&mut self) {
        self.member.leave(true).expect("no faults");
    }
}

/// A stream of bytes, as one process has it.
#[derive(Clone, Debug)]
pub struct Stream {
    place: Place,
    parking: Arc<Local>,
}

impl Stream {
    pub fn new(participants: usize, capacity: usize) -> Self {
        Self::on(Local::new(), participants, capacity)
    }

    /// The same without the wake-ups that a death adds.
    pub fn without_credits(participants: usize, capacity: usize) -> Self {
        Self::on(Local::with_credits(false), participants, capacity)
    }

    fn on(parking: Local, participants: usize, capacity: usize) -> Self {
        let parking = Arc::new(parking);
        let place = Place {
            board: Board::modelled(participants, 0),
            view: View::modelled(capacity),
            parking: Arc::clone(&parking) as _,
        };
        Self { place, parking }
    }

    /// The stream as another process has it, which can die.
    pub fn process(&self, process: u32) -> Self {
        let mut theirs = self.clone();
        theirs.parking = Arc::new(self.parking.of_process(process));
        theirs.place.parking = Arc::clone(&theirs.parking) as _;
        theirs
    }

    /// What the kernel does when this process has died.
    pub fn die(&self) {
        self.parking.die();
    }

    /// From now on, whoever would sleep in that role is interrupted at once.
    pub fn set_restless(&self, role: Role, restless: bool) {
        self.parking.set_restless(role, restless);
    }

    /// Takes part; `None` if there are as many as there can be.
    pub fn join(&self, role: Role) -> Option<Party> {
        match self.place.join(role, None) {
            Ok((member, seen)) => Some(Party { member, seen }),
            Err(Refusal::Full) => None,
            Err(refusal) => panic!("no faults and no clock: {refusal:?}"),
        }
    }

    /// The same, but only while somebody is in the other role.
    pub fn join_peers(&self, role: Role) -> Result<Option<Party>, Vain> {
        match self.place.join_peers(role, None) {
            Ok(member) => Ok(Some(Party { member, seen: 0 })),
            Err(Refusal::Full) => Ok(None),
            Err(Refusal::NoPeer) => Err(Vain::Gone),
            Err(refusal) => panic!("no faults and no clock: {refusal:?}"),
        }
    }

    /// How many bytes nobody has read.
    pub fn available(&self) -> usize {
        crate::ring::len(self.place.board.control(), self.place.view.capacity())
    }
}

/// A writer or a reader. It leaves when told to, or dies with its process.
#[derive(Debug)]
pub struct Party {
    member: turns::Member,
    /// How many of the other role had ever come before.
    seen: u64,
}

impl Party {
    /// Takes the turn with `least` bytes ready at least, as the handles do: the shortest way first, if it will do for `wanted`.
    fn ready(&mut self, wanted: usize, least: usize, peer_loss: PeerLoss) -> Result<usize, Vain> {
        if let Some(ready) = self.member.at_hand(wanted) {
            return Ok(ready);
        }
        if let Sight::Found(ready) = self.member.look(least).expect("no faults") {
            return Ok(ready);
        }
        let waited = self.member.wait(least, patience(peer_loss), None);
        waited.map_err(vain)
    }

    /// Writes all, in one piece.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Vain> {
        self.reserve(bytes)?;
        self.commit(bytes.len());
        Ok(())
    }

    /// Writes without publishing.
    pub fn reserve(&mut self, bytes: &[u8]) -> Result<(), Vain> {
        self.ready(bytes.len(), bytes.len(), PeerLoss::Disconnect)?;
        self.member.put(0, bytes);
        Ok(())
    }

    /// Publishes, or releases, the first `n` bytes of what is in hand.
    pub fn commit(&mut self, n: usize) {
        if n > 0 {
            self.member.finish(n);
        } else {
            self.member.put_down();
        }
    }

    /// Writes one byte after the other, as a long write goes by parts.
    pub fn write_on(&mut self, bytes: &[u8]) -> Result<(), Vain> {
        for (n, byte) in bytes.iter().enumerate() {
            self.ready(bytes.len() - n, 1, PeerLoss::Disconnect)?;
            self.member.put(0, &[*byte]);
            self.member.hand_over(1);
        }
        self.member.finish(0);
        Ok(())
    }

    /// Reads what there is, up to `most`; `Gone` at the end.
    pub fn read(&mut self, most: usize) -> Result<Vec<u8>, Vain> {
        let bytes = self.hold(most)?;
        self.commit(bytes.len());
        Ok(bytes)
    }

    /// Reads without releasing.
    pub fn hold(&mut self, most: usize) -> Result<Vec<u8>, Vain> {
        let ready = self.ready(most, 1, PeerLoss::Disconnect)?;
        let mut bytes = vec![0; ready.min(most)];
        self.member.get(0, &mut bytes);
        Ok(bytes)
    }

    /// Waits until as many bytes are ready, without taking them.
    pub fn await_near(&mut self, least: usize, peer_loss: PeerLoss) -> Result<(), Vain> {
        let waited = self
            .member
            .wait_near(least, None, patience(peer_loss), None);
        waited.map_err(vain)
    }

    /// Waits, as the handles do, until the other role has somebody, or has had since this one came.
    pub fn meet(&mut self) -> Result<(), Vain> {
        let patience = patience(PeerLoss::Wait);
        let waited = self.member.wait_for_peers(self.seen, patience, None);
        waited.map_err(vain)
    }

    pub fn leave(&mut self) {
        self.member.leave(true).expect("no faults");
    }
}
