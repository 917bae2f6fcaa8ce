//! A stream with those who have ends of it, one of whom may be killed.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::mem::{forget, take};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use ringpipe::stream::{Fifo, Reader, Writer};
use ringpipe::{Error, Role};

use super::bytes::{ROUND, Source, Tape};
use super::play::{LITTLE, Play};
use super::{CAPACITY, Hands, as_good_as_new, drain, made, reader, write, writer};
use crate::common::{forked, until};
use crate::scene::{Fate, LONG, Scene, Stage};
use crate::sleeper::{Sleeper, Sleeps};

/// What a sleeper comes back with.
enum Woken {
    Writer(io::Result<usize>, Writer),
    Reader(io::Result<Vec<u8>>, Reader),
}

/// Who may sleep.
enum Other {
    Writer(Writer),
    Reader(Reader),
}

impl Other {
    fn sleep(self, n: usize) -> Woken {
        match self {
            Self::Writer(mut tx) => {
                tx.set_nonblocking(false);
                let bytes = Source::Sleeper.bytes(n * LITTLE, LITTLE);
                Woken::Writer(tx.write(&bytes), tx)
            }
            Self::Reader(mut rx) => {
                rx.set_nonblocking(false);
                let mut bytes = vec![0; CAPACITY];
                let read = rx.read(&mut bytes);
                bytes.truncate(*read.as_ref().unwrap_or(&0));
                Woken::Reader(read.map(|_| bytes), rx)
            }
        }
    }
}

/// One stream with those who have ends of it.
pub(super) struct Line<'a> {
    play: &'a Play,
    fifo: Fifo,
    writer: Option<Writer>,
    reader: Option<Reader>,
    /// Those who are to sleep, and those who do.
    others: Vec<Other>,
    sleepers: Vec<Sleeper<Woken>>,
    /// Bytes that were there, that the writer beside has written, and that sleepers have.
    beside: usize,
    slept: Vec<u8>,
    /// What the reader beside has read, and what each sleeper has.
    tape: Tape,
    aside: Vec<Tape>,
    /// Whether the turn of the victim's role is in hand.
    held: bool,
    /// Whether somebody has been there for whom the victim waits.
    visited: bool,
}

pub(super) fn sweep(name: &'static str, play: Play) {
    crate::sweep::sweep(name, || Line::new(&play));
}

impl<'a> Line<'a> {
    fn new(play: &'a Play) -> Self {
        let fifo = made();
        let (mut rx, mut tx) = (reader(&fifo), writer(&fifo));
        let begin = |bytes: &[u8], tx: &mut Writer| assert!(write(tx, bytes));
        let gone = vec![0; play.before];
        if !gone.is_empty() {
            begin(&gone, &mut tx);
            assert_eq!(drain(&mut rx).0, gone);
        }
        let filled = Source::Before.bytes(0, play.filled);
        if !filled.is_empty() {
            begin(&filled, &mut tx);
        }
        let other = |role| match role {
            Role::Producer => Other::Writer(writer(&fifo)),
            Role::Consumer => Other::Reader(reader(&fifo)),
        };
        let (role, count) = play.sleepers;
        let others = (0..count).map(|_| other(role)).collect();
        Self {
            play,
            writer: Some(tx).filter(|_| play.writer),
            reader: Some(rx).filter(|_| play.reader),
            others,
            sleepers: vec![],
            beside: 0,
            slept: vec![],
            tape: Tape::default(),
            aside: vec![],
            held: false,
            visited: false,
            fifo,
        }
    }

    /// The one in the victim's role takes the turn in hand.
    fn hold(&mut self) {
        match (self.play.role, &mut self.writer, &mut self.reader) {
            (Role::Producer, Some(tx), _) => forget(tx.reserve(LITTLE).unwrap()),
            (Role::Consumer, _, Some(rx)) => {
                assert!(!rx.fill_buf().unwrap().is_empty());
            }
            _ => panic!("nobody is beside it"),
        }
        self.held = true;
    }

    /// And puts it down.
    fn put_down(&mut self) {
        if !take(&mut self.held) {
            return;
        }
        match (self.play.role, &mut self.writer, &mut self.reader) {
            (Role::Producer, Some(tx), _) => drop(tx.reserve(LITTLE).unwrap()),
            (Role::Consumer, _, Some(rx)) => rx.consume(0),
            _ => {}
        }
    }

    /// One of the victim's role dies with the turn in hand.
    fn die(&self) {
        match self.play.role {
            Role::Producer => {
                let mut tx = writer(&self.fifo);
                forget(tx.reserve(LITTLE).unwrap());
                forget(tx);
            }
            Role::Consumer => {
                let mut rx = reader(&self.fifo);
                assert!(!rx.fill_buf().unwrap().is_empty());
                forget(rx);
            }
        }
    }

    /// The writer beside the victim writes a little, if it can.
    fn fill(&mut self) -> bool {
        let Some(tx) = self.writer.as_mut().filter(|_| !self.held) else {
            return false;
        };
        let bytes = Source::Beside.bytes(self.beside, LITTLE);
        let written = match tx.write(&bytes) {
            // Nobody reads as long as the only reader has not come.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
            Ok(written) => {
                assert_eq!(written, LITTLE);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error:?}"),
        };
        self.beside += if written { LITTLE } else { 0 };
        written
    }

    /// The reader beside the victim reads what there is.
    fn drain(&mut self) -> bool {
        let Some(rx) = self.reader.as_mut().filter(|_| !self.held) else {
            return false;
        };
        let (got, end) = drain(rx);
        self.tape.0.extend(got);
        end
    }

    /// The reader beside the victim reads a part of what there is, if it can.
    fn drain_some(&mut self) {
        let mut some = [0; 5];
        if let Some(rx) = &mut self.reader
            && let Ok(read) = rx.read(&mut some)
        {
            self.tape.0.extend(&some[..read]);
        }
    }

    /// A writer comes, writes a little, and goes, once there is a reader.
    fn visit(&mut self) {
        if !self.play.visited || self.visited {
            return;
        }
        match self.fifo.writer_nonblocking() {
            Ok(mut tx) => {
                // In vain while the victim is halted in the middle of coming.
                write(&mut tx, &Source::Beside.bytes(0, LITTLE));
                self.visited = true;
            }
            Err(Error::NoReader { .. } | Error::TimedOut { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Others come where the victim comes as the first, and find nothing. Who finds the victim in the middle of that waits for a
    /// while: that is not tried each time.
    fn come_too(&mut self) {
        static TIMES: AtomicU32 = AtomicU32::new(0);
        if !TIMES.fetch_add(1, Ordering::Relaxed).is_multiple_of(64) {
            return;
        }
        match self.fifo.reader_nonblocking() {
            Ok(mut rx) => assert_eq!(drain(&mut rx).0, []),
            Err(Error::TimedOut { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    fn maybe_sleep(&mut self, now: Sleeps) {
        if self.play.sleeps != now {
            return;
        }
        let status = self.fifo.status().unwrap();
        let set = status.unwrap().set.unwrap();
        for (n, other) in self.others.drain(..).enumerate() {
            self.sleepers
                .push(Sleeper::new(set, move || other.sleep(n)));
        }
    }

    /// All who slept are awake: with what they waited for, or because nobody is left who could bring it.
    fn wake(&mut self) {
        let begin = Instant::now();
        while !self.sleepers.iter().all(Sleeper::is_awake) {
            assert!(begin.elapsed() < LONG, "nobody woke the sleepers");
            match self.play.sleepers.0 {
                Role::Producer => drop(self.drain()),
                Role::Consumer => drop(self.fill()),
            }
            thread::yield_now();
        }
        for (n, sleeper) in take(&mut self.sleepers).into_iter().enumerate() {
            match sleeper.awake() {
                Woken::Writer(Ok(written), tx) => {
                    assert_eq!(written, LITTLE);
                    self.slept.extend(Source::Sleeper.bytes(n * LITTLE, LITTLE));
                    drop(tx);
                }
                Woken::Writer(Err(error), _) => {
                    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                    assert!(self.reader.is_none(), "somebody reads");
                }
                Woken::Reader(read, rx) => {
                    let bytes = read.expect("it waits");
                    assert!(!bytes.is_empty() || self.writer.is_none(), "an early end");
                    self.aside.push(Tape(bytes));
                    rx.set_nonblocking(true);
                    self.reader.get_or_insert(rx);
                }
            }
        }
    }

    /// Something has passed: of those who waited for it on the other side, one is awake.
    fn await_sleeper(&self, stage: Stage) {
        let before = self.play.sleepers.0 != self.play.role && self.play.sleeps == Sleeps::Before;
        if before && stage.reported() > 0 && !self.sleepers.is_empty() {
            let begin = Instant::now();
            while !self.sleepers.iter().any(Sleeper::is_awake) {
                assert!(begin.elapsed() < LONG, "nobody woke the sleepers");
                thread::yield_now();
            }
        }
    }

    /// If the victim was the last of its role, that shows at once.
    fn check_end(&mut self) {
        let last = self.play.sleepers.1 == 0 || self.play.sleepers.0 != self.play.role;
        match self.play.role {
            Role::Producer if last && self.writer.is_none() && self.reader.is_some() => {
                assert!(self.drain(), "no end");
            }
            Role::Consumer if last && self.reader.is_none() => {
                if let Some(tx) = &mut self.writer {
                    let error = tx.write(b"x").unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                }
            }
            _ => {}
        }
    }

    /// Everything that is left comes, and then the end, at once.
    fn settle(&mut self) {
        let fifo = &self.fifo;
        let end_is_due = self.writer.is_none();
        let rx = self.reader.get_or_insert_with(|| reader(fifo));
        if end_is_due {
            let (got, end) = drain(rx);
            self.tape.0.extend(got);
            assert!(end, "no end");
        }
        if self.writer.is_some() {
            // Both wait, if they have to, for nobody but each other.
            until(|| {
                self.drain();
                self.fill()
            });
            self.drain();
            self.writer = None;
            assert!(self.drain(), "no end");
        }
        self.reader = None;
    }

    /// Everything that came, in some order.
    fn all(&self, source: Source) -> Vec<u8> {
        let tapes = self.aside.iter().chain([&self.tape]);
        tapes.flat_map(|tape| tape.of(source)).collect()
    }

    fn check_bytes(&self, fate: Fate, stage: Stage) {
        assert_eq!(
            sorted(self.all(Source::Sleeper)),
            sorted(self.slept.clone())
        );
        let filled = if self.play.is_first() {
            0
        } else {
            self.play.filled
        };
        let before = Source::Before.bytes(0, filled);
        let beside = Source::Beside.bytes(0, self.beside);
        let passed = if self.play.writes() {
            assert_eq!(self.tape.of(Source::Before), before);
            let came = self.all(Source::Victim);
            assert_eq!(came, Source::Victim.bytes(0, came.len()), "torn");
            let tapes = self.aside.iter().chain([&self.tape]);
            let whole = tapes.clone().all(|tape| tape.is_whole(Source::Victim));
            assert!(
                whole || self.play.passed.len() > 2 || self.play.any,
                "mixed"
            );
            came.len()
        } else {
            self.check_taken(fate, stage, &[before, beside.clone()].concat())
        };
        if self.play.writes() {
            assert_eq!(sorted(self.all(Source::Beside)), sorted(beside));
        }
        let (whole, reported) = (self.play.whole(), stage.reported() as usize);
        let known = self.play.any && passed <= whole || self.play.passed.contains(&passed);
        assert!(known && passed >= reported, "{passed} passed");
        assert!(fate == Fate::Killed || passed == whole, "{passed} passed");
    }

    /// How many bytes the victim has taken: those that are missing, or that it tells of.
    fn check_taken(&self, fate: Fate, stage: Stage, written: &[u8]) -> usize {
        let came = [Source::Before, Source::Beside].map(|source| self.all(source));
        let came = came.concat();
        let taken = written.len().checked_sub(came.len()).expect("came twice");
        let missing: Vec<u8> = if self.beside.max(self.play.filled) <= ROUND {
            let missing = written.iter().filter(|byte| !came.contains(byte));
            missing.copied().collect()
        } else {
            written[..taken].to_vec()
        };
        let mut rest = written.to_vec();
        rest.retain(|byte| self.play.filled > ROUND || !missing.contains(byte));
        assert!(rest.ends_with(&came), "{came:?} of {written:?}");
        if fate == Fate::Ended {
            assert_eq!(missing, super::told(stage));
        }
        missing.len()
    }

    fn check_deaths(&self, fate: Fate, (writers, readers): (u32, u32)) {
        for (role, deaths) in [(Role::Producer, writers), (Role::Consumer, readers)] {
            let before = u32::from(self.play.dead && role == self.play.role);
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

fn sorted(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.sort_unstable();
    bytes
}

impl Scene for Line<'_> {
    fn victim(&self, stage: Stage) {
        (self.play.act)(&Hands {
            fifo: &self.fifo,
            stage,
        });
    }

    fn ready(&mut self) {
        if self.play.dead {
            forked(|| self.die()).join();
        }
        if self.play.holds {
            self.hold();
        }
        self.maybe_sleep(Sleeps::Before);
    }

    fn rouse(&mut self) {
        self.put_down();
        self.visit();
        match self.play.role {
            Role::Producer => drop(self.drain()),
            Role::Consumer if self.play.ends => self.writer = None,
            Role::Consumer if self.beside == 0 => drop(self.fill()),
            Role::Consumer => {}
        }
    }

    fn meanwhile(&mut self, _: Stage) {
        self.put_down();
        if self.play.visited {
            return self.visit();
        } else if self.play.is_first() {
            return self.come_too();
        }
        match self.play.role {
            Role::Producer => {
                self.drain();
                self.fill();
                self.drain();
            }
            Role::Consumer if self.play.ends => self.writer = None,
            Role::Consumer => {
                // Neither what the victim waits for, nor the room that others do.
                if self.play.filled > self.play.whole() {
                    self.drain_some();
                }
                if self.beside == 0 && self.play.sleepers.1 == 0 {
                    self.fill();
                }
            }
        }
        self.maybe_sleep(Sleeps::Meanwhile);
    }

    fn over(&mut self) {
        self.put_down();
        self.wake();
    }

    fn check(mut self, fate: Fate, stage: Stage) {
        self.put_down();
        self.check_end();
        self.await_sleeper(stage);
        self.wake();
        self.others.clear();
        self.settle();
        self.check_bytes(fate, stage);
        let deaths = as_good_as_new(&self.fifo);
        self.check_deaths(fate, deaths);
    }
}
