//! A consumer at work.

use std::io;
use std::thread;

use super::ends::Taker;
use super::{Stop, Worker, dwell, failed};
use crate::soak::cell::{Cell, Tag};
use crate::soak::dice::Dice;
use crate::soak::log::{Journal, Note, now};

impl Worker {
    pub(super) fn take(&mut self) -> Result<(), Stop> {
        let (mut taker, hears) = self.taker()?;
        self.journal.put(Note::Ready { hears }).map_err(failed)?;
        let mut ending = false;
        let mut into = vec![[0; 4]; self.task.most as usize];
        loop {
            if self.is_told_to_end() && !ending {
                ending = true;
                taker.end_with_producers();
                self.journal.put(Note::Ending).map_err(failed)?;
            }
            self.between_calls()?;
            match self.take_some(&mut taker, &mut into) {
                Ok(()) | Err(Stop::Interrupted) => {}
                Err(Stop::Gone) if ending => return Ok(()),
                Err(Stop::Gone) => self.be_alone()?,
                Err(stop) => return Err(stop),
            }
        }
    }

    /// One call.
    fn take_some(&mut self, taker: &mut Taker, into: &mut [Cell]) -> Result<(), Stop> {
        let most = self.dice.some(self.task.most);
        self.journal
            .put(Note::Take { most: most as u32 })
            .map_err(failed)?;
        let from = now();
        if self.task.hold {
            return self.hold_some(taker, most as usize, from);
        }
        let taken = taker.take(&mut into[..most as usize]);
        self.note_wait(from);
        let (count, again) = taken?;
        note_cells(&mut self.journal, self.task.tag, &into[..count], again);
        Ok(())
    }

    fn hold_some(&mut self, taker: &mut Taker, most: usize, from: u64) -> Result<(), Stop> {
        let (journal, dice, tag) = (&mut self.journal, &mut self.dice, self.task.tag);
        let mut to = None;
        let done = taker.hold(most, &mut |cells, again| {
            to = Some(now());
            hold_on(journal, dice, tag, cells, again)
        });
        if let Some(to) = to.filter(|to| to - from > super::LONG) {
            self.journal.add(Note::Waited { from, to });
        }
        let count = done? as u32;
        self.journal.add(Note::Released { count });
        Ok(())
    }
}

/// Notes what is in hand; says how many of them to release: mostly all.
fn hold_on(
    journal: &mut Journal,
    dice: &mut Dice,
    tag: u32,
    cells: &[Cell],
    again: bool,
) -> io::Result<usize> {
    note_cells(journal, tag, cells, again);
    journal.flush()?;
    thread::sleep(dwell(dice));
    if dice.one_in(8) {
        return Ok(dice.below(cells.len() as u64 + 1) as usize);
    }
    Ok(cells.len())
}

/// Notes items as runs of the same producer's, in the order in which they came.
fn note_cells(journal: &mut Journal, ring: u32, cells: &[Cell], again: bool) {
    let mut before: Option<Tag> = None;
    let mut run: Option<(Tag, u32)> = None;
    let got = |(tag, count): (Tag, u32)| Note::Got {
        producer: tag.producer,
        first: tag.number,
        count,
        again,
    };
    for cell in cells {
        journal.moved += 1;
        let tag = Tag::of(*cell).filter(|tag| tag.ring == ring && tag.may_follow(before));
        let Some(tag) = tag else {
            journal.add(Note::Bad {
                first: cell[0],
                second: cell[1],
            });
            continue;
        };
        before = Some(tag);
        run = match run {
            Some((begun, count))
                if begun.producer == tag.producer
                    && begun.number + u64::from(count) == tag.number =>
            {
                Some((begun, count + 1))
            }
            finished => {
                finished.into_iter().for_each(|run| journal.add(got(run)));
                Some((tag, 1))
            }
        };
    }
    run.into_iter().for_each(|run| journal.add(got(run)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::log::Trail;

    fn notes_of(cells: &[Cell]) -> Vec<Note> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut trail = Trail::create(&path).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        note_cells(&mut journal, 7, cells, false);
        journal.flush().unwrap();
        trail.read().unwrap()
    }

    fn cell(producer: u32, number: u64) -> Cell {
        let (ring, first, len) = (7, number, 1);
        Tag {
            ring,
            producer,
            number,
            first,
            len,
        }
        .cell()
    }

    #[test]
    fn items_are_noted_as_runs() {
        let got = |producer, first, count| Note::Got {
            producer,
            first,
            count,
            again: false,
        };
        let cells = [cell(1, 4), cell(1, 5), cell(2, 6), cell(1, 6)];
        assert_eq!(notes_of(&cells), [got(1, 4, 2), got(2, 6, 1), got(1, 6, 1)]);
    }

    #[test]
    fn a_torn_item_is_noted_as_bad() {
        let mut torn = cell(1, 5);
        torn[1] = 6;
        let notes = notes_of(&[cell(1, 4), torn]);
        let bad = Note::Bad {
            first: torn[0],
            second: 6,
        };
        assert!(notes.contains(&bad), "{notes:?}");
    }
}
