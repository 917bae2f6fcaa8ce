//! A producer at work.

use super::ends::Pusher;
use super::{Stop, Worker, dwell, failed};
use crate::soak::cell::{Cell, Tag};
use crate::soak::log::{Note, now};

impl Worker {
    pub(super) fn push(&mut self) -> Result<(), Stop> {
        let (mut pusher, hears) = self.pusher()?;
        self.journal.put(Note::Ready { hears }).map_err(failed)?;
        let mut next = 0;
        let outcome = loop {
            if self.is_told_to_end() {
                self.journal.put(Note::Ending).map_err(failed)?;
                break Ok(());
            }
            self.between_calls()?;
            match self.push_some(&mut pusher, &mut next)? {
                None | Some(Stop::Interrupted) => {}
                Some(Stop::Gone) => self.be_alone()?,
                Some(stop) => break Err(stop),
            }
        };
        let outcome = outcome.and_then(|()| pusher.finish());
        self.journal.add(Note::Pushed { upto: next });
        outcome
    }

    /// One call.
    fn push_some(&mut self, pusher: &mut Pusher, next: &mut u64) -> Result<Option<Stop>, Stop> {
        let count = self.dice.some(self.task.most);
        let in_place = self.dice.one_in(3) && pusher.can_place(count as usize);
        let whole = in_place || pusher.is_whole(count as usize);
        let dwell = dwell(&mut self.dice);
        let cells = self.cells(*next, count, whole);
        let note = Note::Push {
            first: *next,
            count: count as u32,
            whole,
        };
        self.journal.put(note).map_err(failed)?;
        let from = now();
        let (pushed, stop) = if in_place {
            match pusher.push_in_place(&cells, dwell) {
                Ok(()) => (cells.len(), None),
                Err(stop) => (0, Some(stop)),
            }
        } else {
            pusher.push(&cells)
        };
        self.note_wait(from);
        *next += pushed as u64;
        self.journal.moved = *next;
        Ok(stop)
    }

    fn cells(&self, first: u64, count: u64, whole: bool) -> Vec<Cell> {
        let tag = |number| Tag {
            ring: self.task.tag,
            producer: self.task.id,
            number,
            first,
            len: if whole { count as u32 } else { 0 },
        };
        (first..first + count)
            .map(|number| tag(number).cell())
            .collect()
    }
}
