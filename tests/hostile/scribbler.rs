//! A process that keeps to no rule: it writes whatever it likes over a ring's segment and its semaphores.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ringpipe::sysv::{self, SemId, SemOp, ShmId};

use crate::common::Shared;
use crate::common::dice::Dice;
use crate::common::raw::Raw;
use crate::ledger;

/// What it knows of its victim, as docs/abi.md has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) segment: ShmId,
    pub(crate) set: SemId,
    pub(crate) participants: usize,
    /// Slots that have words.
    pub(crate) words: usize,
    pub(crate) capacity: usize,
    pub(crate) size: usize,
}

/// Of the header: the identity, the roster, the indices, the sleepers of a pair, the length of the name.
const FIELDS: [(usize, usize); 28] = [
    (0, 8),
    (8, 4),
    (12, 4),
    (16, 4),
    (20, 4),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 8),
    (56, 8),
    (72, 4),
    (76, 4),
    (88, 4),
    (92, 4),
    (104, 4),
    (108, 4),
    (128, 8),
    (136, 8),
    (144, 4),
    (152, 4),
    (256, 8),
    (384, 8),
    (512, 4),
    (640, 4),
    (2304, 4),
    (2308, 4),
    (2560, 8),
    (2688, 8),
];
/// What a victim reads and writes all the time.
const HOT: [(usize, usize); 10] = [
    (128, 8),
    (136, 8),
    (256, 8),
    (384, 8),
    (512, 4),
    (640, 4),
    (2048, 8),
    (2176, 8),
    (2560, 8),
    (2688, 8),
];
const TABLE: usize = 4096;
const ENTRY: usize = 128;
/// How long it goes on in one way.
const SPELL: Duration = Duration::from_millis(3);

pub(crate) struct Scribbler {
    target: Target,
    raw: Raw,
    /// The header as it was: what was never right again would only show that nobody can come any more.
    whole: Vec<u8>,
    dice: Dice,
    notes: Shared,
}

impl Scribbler {
    pub(crate) fn new(target: Target, dice: Dice, notes: Shared) -> Self {
        let raw = Raw::attach(target.segment);
        let whole = raw.page();
        Self {
            target,
            raw,
            whole,
            dice,
            notes,
        }
    }

    /// Scribbles until it is told that it is over; in the end it removes what it can.
    pub(crate) fn run(mut self) {
        while self.notes.get(ledger::OVER) == 0 {
            let end = Instant::now() + SPELL;
            match self.dice.below(8) {
                0 => self.spell(end, Self::anywhere),
                1 => self.spell(end, Self::field),
                2 => self.spell(end, Self::index),
                3 if self.target.words > 0 => self.spell(end, Self::word),
                4 if self.target.participants > 0 => self.spell(end, Self::entry),
                5 => self.spell(end, Self::semaphore),
                6 => self.hammer(end),
                7 => std::thread::sleep(SPELL), // so that something goes right now and then
                _ => self.spell(end, Self::field),
            }
            if self.dice.below(2) == 0 {
                self.mend();
            }
        }
        if self.dice.below(2) == 0 {
            let _ = sysv::shmctl_rmid(self.target.segment);
        }
        // Whoever waits for ever is told so.
        let _ = sysv::semctl_rmid(self.target.set);
    }

    fn spell(&mut self, end: Instant, each: fn(&mut Self)) {
        let gentle = self.dice.below(2) == 0;
        while Instant::now() < end {
            let count = if gentle { 1 } else { 64 };
            (0..count).for_each(|_| each(self));
            self.notes.more(ledger::SCRIBBLES, count);
            if gentle {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }

    /// One word, changed as fast as it goes: whoever wants to exchange it never finds it as it was.
    fn hammer(&mut self, end: Instant) {
        let (offset, width) = match self.dice.below(3) {
            0 if self.target.words > 0 => (self.some_word(), 8),
            1 if self.target.participants > 0 => (self.some_entry(), 8),
            _ => HOT[self.dice.below(HOT.len())],
        };
        let (mut value, step) = (self.value(), [1, 1 << 11, 1 << 24][self.dice.below(3)]);
        while Instant::now() < end {
            for _ in 0..1000 {
                value = value.wrapping_add(step);
                match width {
                    4 => self.raw.word(offset).store(value as u32, Ordering::Relaxed),
                    _ => self.raw.wide(offset).store(value, Ordering::Relaxed),
                }
            }
            self.notes.more(ledger::SCRIBBLES, 1000);
        }
    }

    /// The header's identity, and its name, as they were.
    fn mend(&mut self) {
        for offset in (0..128).step_by(8) {
            let bytes = self.whole[offset..offset + 8].try_into().expect("eight");
            self.raw.set(offset, 8, u64::from_le_bytes(bytes));
        }
    }

    fn anywhere(&mut self) {
        let width = [1, 4, 8][self.dice.below(3)];
        let offset = self.dice.below(self.target.size / width) * width;
        let value = self.value();
        self.raw.set(offset, width, value);
    }

    fn field(&mut self) {
        let (offset, width) = FIELDS[self.dice.below(FIELDS.len())];
        self.spoil(offset, width);
    }

    fn index(&mut self) {
        let (offset, width) = [(256, 8), (384, 8)][self.dice.below(2)];
        self.spoil(offset, width);
    }

    fn entry(&mut self) {
        let offset = self.some_entry();
        if self.dice.below(4) == 0 {
            let sleepers = [2048, 2176][self.dice.below(2)];
            self.spoil(sleepers, 8);
        }
        self.spoil(offset, 8);
    }

    fn some_entry(&mut self) -> usize {
        TABLE + self.dice.below(self.target.participants) * ENTRY + self.dice.below(5) * 8
    }

    fn some_word(&mut self) -> usize {
        let words = TABLE + self.target.participants * ENTRY;
        words + self.dice.below(self.target.words) * 8
    }

    /// A slot's word: often one that could be there, in this lap or a neighbour.
    fn word(&mut self) {
        let offset = self.some_word();
        if self.dice.below(3) == 0 {
            return self.spoil(offset, 8);
        }
        let now = self.raw.number(offset, 8);
        let lap = (now >> 24)
            .wrapping_add(self.dice.below(5) as u64)
            .wrapping_sub(2);
        let run = [0, 1, 2, self.target.capacity, 4095][self.dice.below(5)] as u64 & 0xfff;
        let owner = self.dice.below(self.target.participants + 2) as u64;
        let kind = self.dice.below(8) as u64;
        self.raw
            .set(offset, 8, kind | owner << 3 | run << 12 | lap << 24);
    }

    /// A value for a field, made of what is there as often as not.
    fn spoil(&mut self, offset: usize, width: usize) {
        let now = self.raw.number(offset, width);
        let value = match self.dice.below(6) {
            0 => now.wrapping_add(1),
            1 => now.wrapping_sub(1),
            2 => now ^ 1 << self.dice.below(8 * width),
            3 => {
                // Another field's.
                let (other, width) = FIELDS[self.dice.below(FIELDS.len())];
                self.raw.number(other, width)
            }
            _ => self.value(),
        };
        self.raw.set(offset, width, value);
    }

    fn value(&mut self) -> u64 {
        let capacity = self.target.capacity as u64;
        let number = self.dice.below(self.target.participants + 2) as u64;
        let chosen = [
            0,
            1,
            u64::MAX,
            u64::MAX - 1,
            1 << 63,
            u64::from(u32::MAX),
            i64::MAX as u64,
            capacity,
            capacity + 1,
            capacity - 1,
            capacity.wrapping_mul(u64::MAX / 2),
            number,
            number << 2 | 1,
            number << 2 | 2,
            number << 2 | 3 | 1 << 11,
        ];
        match self.dice.below(chosen.len() + 3) {
            n if n < chosen.len() => chosen[n],
            _ => self.dice.word(),
        }
    }

    /// The semaphores, as far as the kernel lets it.
    fn semaphore(&mut self) {
        let count = 9 + self.target.participants;
        let value = match self.dice.below(4) {
            0 => self.dice.below(1 << 15) as i32,
            _ => [0, 0, 1, 1, 2, 1025, 32_766, 32_767][self.dice.below(8)],
        };
        let semaphore = match self.dice.below(20) {
            0 => 4 + self.dice.below(5), // its marks
            1..9 => self.dice.below(4),
            _ => self.dice.below(count),
        };
        let (set, semaphore) = (self.target.set, semaphore as u16);
        // Each may fail: the value is out of range, or the set is gone.
        let _ = match self.dice.below(12) {
            0 => sysv::semctl_setall(set, &vec![value as u16; count]),
            1..6 => sysv::semop(set, &[SemOp::add(semaphore, 1).nowait()]),
            6..8 => sysv::semop(set, &[SemOp::take(semaphore, 1).nowait()]),
            8 => sysv::semop(set, &[SemOp::add(semaphore, 1).undo().nowait()]),
            _ => sysv::semctl_setval(set, semaphore, value),
        };
    }
}
