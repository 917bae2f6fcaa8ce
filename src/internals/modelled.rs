//! What `tests/loom.rs` plays with: the core on loom's memory, with participants that can be killed.

use crate::item::Item;
use crate::memory::{Control, View};
use crate::parking::{Fence, Local};
use crate::ring::roster::{self, State};
use crate::ring::{
    Fault, Parking, Patience, PeerLoss, Read, Role, Side, Stop, Strategy, Waiter, Write,
    anyone_asleep, wake_one,
};
use crate::sync::{Arc, AtomicU64, Ordering};

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

/// The sleep and wake protocol alone, with as many on each side as one likes: a count that some add to and
/// others take from, sleeping while it is 0.
#[derive(Debug)]
pub struct Gate {
    view: View<u8>,
    parking: Local,
    count: AtomicU64,
}

impl Gate {
    pub fn new(credits: bool) -> Self {
        Self {
            view: View::modelled(1),
            parking: Local::with_credits(credits),
            count: AtomicU64::new(0),
        }
    }

    fn control(&self) -> &Control {
        self.view.control()
    }

    /// Enters a role that others may be in too.
    pub fn join(&self, role: Role) {
        self.parking.join(role);
        roster::enter(self.control(), role);
    }

    /// What the kernel does when one in `role` has died, or what it does itself at its end.
    pub fn bury(&self, role: Role) {
        self.parking.bury(role);
    }

    pub fn add(&self) {
        self.count.fetch_add(1, Ordering::Release);
        Fence::of_publisher().light();
        if anyone_asleep(self.control(), Role::Consumer) {
            wake_one(self.control(), &self.parking, Role::Consumer).expect("no faults");
        }
    }

    fn try_take(&self) -> Result<Option<()>, Fault> {
        let mut count = self.count.load(Ordering::Acquire);
        while count > 0 {
            match self
                .count
                .compare_exchange(count, count - 1, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Ok(Some(())),
                Err(now) => count = now,
            }
        }
        Ok(None)
    }

    pub fn take(&self) -> Result<(), Vain> {
        let waiter = Waiter {
            control: self.control(),
            parking: &self.parking,
            role: Role::Consumer,
            patience: patience(PeerLoss::Disconnect),
            alone: false,
        };
        waiter.wait(None, || self.try_take()).map_err(vain)
    }

    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}
