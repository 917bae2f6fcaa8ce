//! What each worker notes of what it does, in a file of its own, which outlives it: a write(2) that has returned is kept whatever
//! becomes of who made it.
//!
//! A call is noted before it is made, and what came of it after. So when a worker is killed, at most one call is in doubt, and
//! the last note says which.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::time::{ClockId, clock_gettime};
use zerocopy::{FromBytes, IntoBytes};

/// One note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// It takes part; whether it wants to be told when its peers are gone.
    Ready { hears: bool },
    /// It was told that its peers are gone.
    Alone,
    /// A producer is about to push `count` items from number `first` on, all at once or not at all if `whole`; all before are pushed.
    Push { first: u64, count: u32, whole: bool },
    /// All before that number are pushed, and no more.
    Pushed { upto: u64 },
    /// A consumer is about to take at most so many; what it took before is done with.
    Take { most: u32 },
    /// It has got items of one producer, in this order; `again` if it was told that somebody had had them.
    Got {
        producer: u32,
        first: u64,
        count: u32,
        again: bool,
    },
    /// Of all that it got last, the first `count` are done with; the others were given back.
    Released { count: u32 },
    /// An item that nobody can have pushed, or that was torn from those pushed with it; its first two words.
    Bad { first: u64, second: u64 },
    /// A call took long: from when to when.
    Waited { from: u64, to: u64 },
    /// A forked child, which writes this itself.
    Child { pid: i32 },
    /// It was told to come to an end.
    Ending,
    /// It had too little of something, and was told so.
    Refused,
    /// It ended because the ring's semaphores were removed.
    Removed,
    /// It came to the end.
    Done,
}

/// Bytes of a note.
const LEN: u64 = 32;

impl Note {
    fn words(self) -> [u64; 3] {
        let pack =
            |tag: u64, flag: bool, count: u32| tag | u64::from(flag) << 8 | u64::from(count) << 32;
        let plain = |tag| pack(tag, false, 0);
        match self {
            Self::Ready { hears } => [pack(1, hears, 0), 0, 0],
            Self::Push {
                first,
                count,
                whole,
            } => [pack(2, whole, count), 0, first],
            Self::Pushed { upto } => [plain(3), 0, upto],
            Self::Take { most } => [pack(4, false, most), 0, 0],
            Self::Got {
                producer,
                first,
                count,
                again,
            } => [pack(5, again, count), producer.into(), first],
            Self::Released { count } => [pack(6, false, count), 0, 0],
            Self::Bad { first, second } => [plain(7), first, second],
            Self::Waited { from, to } => [plain(8), from, to],
            Self::Child { pid } => [pack(9, false, pid.cast_unsigned()), 0, 0],
            Self::Ending => [plain(10), 0, 0],
            Self::Refused => [plain(11), 0, 0],
            Self::Removed => [plain(12), 0, 0],
            Self::Done => [plain(13), 0, 0],
            Self::Alone => [plain(14), 0, 0],
        }
    }

    fn of([head, a, b]: [u64; 3]) -> Option<Self> {
        let (flag, count) = (head >> 8 & 1 == 1, (head >> 32) as u32);
        Some(match head as u8 {
            1 => Self::Ready { hears: flag },
            2 => Self::Push {
                first: b,
                count,
                whole: flag,
            },
            3 => Self::Pushed { upto: b },
            4 => Self::Take { most: count },
            5 => Self::Got {
                producer: a as u32,
                first: b,
                count,
                again: flag,
            },
            6 => Self::Released { count },
            7 => Self::Bad {
                first: a,
                second: b,
            },
            8 => Self::Waited { from: a, to: b },
            9 => Self::Child {
                pid: count.cast_signed(),
            },
            10 => Self::Ending,
            11 => Self::Refused,
            12 => Self::Removed,
            13 => Self::Done,
            14 => Self::Alone,
            _ => return None,
        })
    }
}

/// The file, as its worker has it.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Notes that go out with the next that must.
    pending: Vec<[u64; 4]>,
    /// How many items the worker has moved.
    pub(super) moved: u64,
}

impl Journal {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: OpenOptions::new().append(true).open(path)?,
            pending: Vec::new(),
            moved: 0,
        })
    }

    /// Notes something that may go out later, with the next.
    pub(super) fn add(&mut self, note: Note) {
        let [head, a, b] = note.words();
        self.pending.push([head, a, b, self.moved]);
    }

    /// Notes something that must be out before anything else is done.
    pub(super) fn put(&mut self, note: Note) -> io::Result<()> {
        self.add(note);
        self.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(self.pending.as_bytes())?;
        self.pending.clear();
        Ok(())
    }
}

/// The file, as the supervisor follows it.
#[derive(Debug)]
pub(super) struct Trail {
    file: File,
    /// How far it was followed.
    seen: u64,
}

impl Trail {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut new = OpenOptions::new();
        let file = new.read(true).append(true).create_new(true).open(path)?;
        Ok(Self { file, seen: 0 })
    }

    /// How many items the worker has moved, as far as it has noted.
    pub(super) fn moved(&self) -> io::Result<u64> {
        let len = self.file.metadata()?.len() / LEN * LEN;
        let mut words = [0_u64; 4];
        if len > 0 {
            self.file.read_exact_at(words.as_mut_bytes(), len - LEN)?;
        }
        Ok(words[3])
    }

    /// The notes that came since the last time. A note that was cut short by a death is left out: it was not made.
    pub(super) fn follow(&mut self) -> io::Result<Vec<Note>> {
        let end = self.file.metadata()?.len() / LEN * LEN;
        let mut bytes = vec![0; (end - self.seen) as usize];
        self.file.read_exact_at(&mut bytes, self.seen)?;
        self.seen = end;
        let words = bytes.chunks_exact(LEN as usize);
        let words = words.filter_map(|note| <[u64; 4]>::read_from_bytes(note).ok());
        let bad = || io::Error::other("a worker's log cannot be read");
        words
            .map(|[head, a, b, _]| Note::of([head, a, b]).ok_or_else(bad))
            .collect()
    }

    /// All notes.
    pub(super) fn read(&mut self) -> io::Result<Vec<Note>> {
        self.seen = 0;
        self.follow()
    }
}

/// The time by which all processes go, in nanoseconds.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC);
    time.map_or(0, |time| {
        time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: [Note; 14] = [
        Note::Ready { hears: true },
        Note::Alone,
        Note::Push {
            first: 1 << 40,
            count: 3,
            whole: true,
        },
        Note::Pushed { upto: 9 },
        Note::Take { most: 128 },
        Note::Got {
            producer: 4,
            first: 8,
            count: 2,
            again: true,
        },
        Note::Released { count: 1 },
        Note::Bad {
            first: 1,
            second: 2,
        },
        Note::Waited { from: 1, to: 2 },
        Note::Child { pid: 77 },
        Note::Ending,
        Note::Refused,
        Note::Removed,
        Note::Done,
    ];

    #[test]
    fn notes_come_back_as_they_were_and_a_cut_one_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut trail = Trail::create(&path).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        for note in NOTES {
            journal.moved += 1;
            journal.put(note).unwrap();
        }
        journal.file.write_all(&[5; 31]).unwrap();
        assert_eq!(trail.read().unwrap(), NOTES);
        assert_eq!(trail.moved().unwrap(), NOTES.len() as u64);
    }
}
