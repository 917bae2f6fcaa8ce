//! The memory of a ring as loom sees it: loom's atomics, and a cell for each byte of payload, so that
//! a copy that no edge orders is reported as a race and a copy cut short by a death is torn.

use core::marker::PhantomData;

use super::{Control, Crowd, Entry};
use crate::item::Item;
use crate::ring::Run;
use crate::sync::{Arc, AtomicU64, Cell};

#[derive(Debug)]
struct Memory {
    control: Control,
    bytes: Vec<Cell>,
}

#[derive(Debug)]
pub(crate) struct View<T> {
    memory: Arc<Memory>,
    capacity: usize,
    items: PhantomData<T>,
}

impl<T: Item> Clone for View<T> {
    fn clone(&self) -> Self {
        Self {
            memory: Arc::clone(&self.memory),
            ..*self
        }
    }
}

impl<T: Item> View<T> {
    pub(crate) fn modelled(capacity: usize) -> Self {
        let bytes = (0..capacity * size_of::<T>())
            .map(|_| Cell::new(0))
            .collect();
        #[allow(
            clippy::arc_with_non_send_sync,
            reason = "loom's cells are not; loom runs one thread at a time"
        )]
        let memory = Arc::new(Memory {
            control: Control::new(),
            bytes,
        });
        Self {
            memory,
            capacity,
            items: PhantomData,
        }
    }

    pub(crate) fn control(&self) -> &Control {
        &self.memory.control
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn put(&self, slot: usize, item: T) {
        for (cell, byte) in self.cells(slot).iter().zip(item.as_bytes()) {
            cell.set(*byte);
        }
    }

    pub(crate) fn get(&self, slot: usize) -> T {
        let bytes: Vec<u8> = self.cells(slot).iter().map(Cell::get).collect();
        T::read_from_bytes(&bytes).expect("a slot has an item's size")
    }

    pub(crate) fn put_run(&self, run: Run, items: &[T]) {
        for (slot, item) in self.slots(run).zip(items) {
            self.put(slot, *item);
        }
    }

    pub(crate) fn get_run(&self, run: Run, items: &mut [T]) {
        for (slot, item) in self.slots(run).zip(items) {
            *item = self.get(slot);
        }
    }

    fn slots(&self, run: Run) -> impl Iterator<Item = usize> {
        let (first, second) = run.split(self.capacity);
        first.chain(second)
    }

    fn cells(&self, slot: usize) -> &[Cell] {
        let size = size_of::<T>();
        &self.memory.bytes[slot * size..][..size]
    }
}

#[derive(Debug)]
struct Boarded {
    control: Control,
    crowd: Crowd,
    entries: Vec<Entry>,
    words: Vec<AtomicU64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Board(Arc<Boarded>);

impl Board {
    pub(crate) fn modelled(participants: usize, capacity: usize) -> Self {
        #[allow(
            clippy::arc_with_non_send_sync,
            reason = "loom's cells are not; loom runs one thread at a time"
        )]
        Self(Arc::new(Boarded {
            control: Control::new(),
            crowd: Crowd::new(),
            entries: (0..participants).map(|_| Entry::new()).collect(),
            words: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
        }))
    }

    pub(crate) fn control(&self) -> &Control {
        &self.0.control
    }

    pub(crate) fn crowd(&self) -> &Crowd {
        &self.0.crowd
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0.entries
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        &self.0.words
    }
}
