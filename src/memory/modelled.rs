//! The memory of a ring as loom sees it: loom's atomics, and a cell for each byte of payload, so that
//! a copy that no edge orders is reported as a race and a copy cut short by a death is torn.

use core::marker::PhantomData;

use super::Control;
use crate::item::Item;
use crate::ring::Run;
use crate::sync::{Arc, Cell};

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
