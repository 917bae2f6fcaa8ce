//! What the slots of a shared ring are like, as one who sees all of them would keep account of it.

use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Writing,
    Full(u32),
    Skipped,
    /// In a consumer's hands, or returned: see `returned`.
    Taken,
    Free,
}

/// Some slots in somebody's hands: where they begin, and what is in them.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub first: usize,
    pub items: Vec<u32>,
    pub again: bool,
}

/// What a ring's slots are like.
#[derive(Debug)]
pub struct Model {
    pub capacity: usize,
    /// From `base` to the tail.
    pub slots: VecDeque<Slot>,
    pub base: usize,
    pub head: usize,
    pub returned: Vec<Run>,
    /// Whether slots were given up that no consumer has gone over since: they count until then.
    pub skips: bool,
}

impl Model {
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            slots: VecDeque::new(),
            base: 0,
            head: 0,
            returned: Vec::new(),
            skips: false,
        }
    }

    pub fn set(&mut self, position: usize, slot: Slot) {
        self.slots[position - self.base] = slot;
    }

    /// How many more slots can be claimed now.
    pub fn room(&mut self) -> usize {
        while let Some(slot @ (Slot::Free | Slot::Skipped)) = self.slots.front() {
            self.skips |= *slot == Slot::Skipped;
            self.slots.pop_front();
            self.base += 1;
        }
        self.head = self.head.max(self.base);
        self.capacity - self.slots.len()
    }

    /// Claims slots at the tail.
    pub fn reserve(&mut self, n: usize) -> Run {
        let n = n.min(self.room());
        let first = self.base + self.slots.len();
        self.slots.extend(vec![Slot::Writing; n]);
        Run {
            first,
            items: vec![0; n],
            again: false,
        }
    }

    pub fn commit(&mut self, run: &Run, items: &[u32]) {
        for n in 0..run.items.len() {
            let slot = items.get(n).map_or(Slot::Skipped, |item| Slot::Full(*item));
            self.set(run.first + n, slot);
        }
    }

    pub fn push(&mut self, items: &[u32]) -> usize {
        let run = self.reserve(items.len());
        self.commit(&run, &items[..run.items.len()]);
        run.items.len()
    }

    /// Claims items, where `first` is what the ring has given first: which of those that were returned comes is not told.
    pub fn claim(&mut self, most: usize, first: Option<u32>) -> Run {
        if let Some(n) = self
            .returned
            .iter()
            .position(|run| run.items.first() == first.as_ref())
        {
            let mut run = self.returned.swap_remove(n);
            let rest = run.items.split_off(most.min(run.items.len()));
            self.put_back(run.first + run.items.len(), rest);
            return run;
        }
        assert!(self.returned.is_empty(), "what was returned comes first");
        self.room();
        self.skips = false;
        while self.at(self.head) == Some(Slot::Skipped) {
            self.set(self.head, Slot::Free);
            self.head += 1;
        }
        let mut run = Run {
            first: self.head,
            ..Run::default()
        };
        while run.items.len() < most
            && let Some(Slot::Full(item)) = self.at(self.head)
        {
            self.set(self.head, Slot::Taken);
            run.items.push(item);
            self.head += 1;
        }
        run
    }

    pub fn at(&self, position: usize) -> Option<Slot> {
        self.slots.get(position - self.base).copied()
    }

    pub fn put_back(&mut self, first: usize, items: Vec<u32>) {
        if !items.is_empty() {
            self.returned.push(Run {
                first,
                items,
                again: true,
            });
        }
    }

    pub fn release(&mut self, mut run: Run, n: usize) {
        let rest = run.items.split_off(n);
        (0..n).for_each(|n| self.set(run.first + n, Slot::Free));
        self.put_back(run.first + n, rest);
    }

    /// What is in the ring, as far as that is certain.
    pub fn len(&self) -> Option<usize> {
        let uncertain = |slot: &Slot| matches!(slot, Slot::Skipped | Slot::Writing);
        let certain = !self.skips && !self.slots.iter().any(uncertain);
        certain.then(|| self.base + self.slots.len() - self.head.max(self.base))
    }
}
