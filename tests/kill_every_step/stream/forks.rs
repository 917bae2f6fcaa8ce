//! What becomes of an end that a child has too, where either process is killed in the middle of the fork.

use std::io::Write;
use std::mem::take;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpid};
use ringpipe::Role;
use ringpipe::stream::{Fifo, Reader, Writer};

use super::{as_good_as_new, drain, made, reader, write, writer};
use crate::common::single::{Single, mark};
use crate::common::{Child, Shared, forked, until};
use crate::scene::{Fate, Scene, Stage};
use crate::sweep::sweep;

/// What the child says of its end.
const OUTCOME: usize = 0;
/// Whether it, and its parent, are to use their ends.
const GO: usize = 1;
/// The child's process id, and whether it is traced.
const CHILD: usize = 2;
const TRACED: usize = 3;
const WORDS: usize = 4;

/// Outcomes: none yet, it has written a byte, it was refused.
const NONE: u64 = 0;
const WROTE: u64 = 1;
const REFUSED: u64 = 2;

fn use_end(tx: &mut Writer, byte: u8) -> u64 {
    match tx.write(&[byte]) {
        Ok(1) => WROTE,
        Ok(n) => panic!("{n} bytes of one"),
        Err(error) => {
            assert_eq!(error.raw_os_error(), None, "{error:?}");
            REFUSED
        }
    }
}

/// A stream with a reader, and a process that forks.
struct Forks {
    fifo: Fifo,
    reader: Reader,
    /// Writers that come after the one that forks was killed, and so may get its numbers.
    newcomers: Vec<Writer>,
    told: Shared,
}

impl Forks {
    fn new(told: Shared) -> Self {
        let fifo = made();
        (0..WORDS).for_each(|word| told.set(word, NONE));
        Self {
            reader: reader(&fifo),
            newcomers: vec![],
            told,
            fifo,
        }
    }

    fn writer(&self) -> Writer {
        let mut tx = writer(&self.fifo);
        tx.set_inheritable(true);
        tx
    }

    /// They clear up after the dead, and take what numbers are free.
    fn come(&mut self, count: usize) {
        self.newcomers
            .extend((0..count).map(|_| writer(&self.fifo)));
    }

    /// The newcomers have numbers that are theirs alone, and what came is what was written. Returns the bytes of others.
    fn check_bytes(&mut self) -> Vec<u8> {
        for tx in &mut self.newcomers {
            assert!(write(tx, b"n"));
        }
        let expected = self.newcomers.len();
        self.newcomers.clear();
        let mut all = Vec::new();
        until(|| {
            let (got, end) = drain(&mut self.reader);
            all.extend(got);
            end
        });
        let newcomers = all.extract_if(.., |byte| *byte == b'n').count();
        assert_eq!(newcomers, expected);
        all
    }

    /// Each writer has a number of its own. For when nobody is on the way.
    fn check_numbers(&self) {
        let status = self.fifo.status().unwrap().unwrap();
        let numbers = status.participants.iter();
        let writers = numbers.filter(|one| one.alive && one.role == Role::Producer);
        assert_eq!(writers.count(), status.producer.attached as usize);
    }

    /// Waits for a child that is not known of, and may yet find that its parent was killed; and so that this process is the last
    /// to have the stream.
    fn finish(self) {
        drop(self.reader);
        until(|| self.fifo.status().unwrap().unwrap().attachments == 1);
        as_good_as_new(&self.fifo);
    }
}

/// The process that forks is the victim.
struct Parent(Forks);

impl Scene for Parent {
    fn victim(&self, stage: Stage) {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGCHLD); // would halt it
        signals.thread_block().unwrap();
        let mut tx = Some(self.0.writer());
        let told = self.0.told;
        stage.begin();
        let child = forked(|| {
            let mut tx = take(&mut tx).expect("it is there");
            told.until(GO, 1); // others may have come in its parent's place by then
            told.set(OUTCOME, use_end(&mut tx, b'c'));
        });
        stage.report(1);
        stage.end();
        child.join();
    }

    fn meanwhile(&mut self, _: Stage) {
        self.0.come(1);
    }

    fn over(&mut self) {
        self.0.told.set(GO, 1);
    }

    fn check(mut self, fate: Fate, stage: Stage) {
        if fate == Fate::Killed {
            self.0.come(2);
        }
        self.0.told.set(GO, 1);
        if stage.reported() == 1 {
            self.0.told.until(OUTCOME, WROTE); // else nobody can tell whether there is a child
        }
        let others = self.0.check_bytes();
        let outcome = self.0.told.get(OUTCOME);
        assert!(fate == Fate::Killed || outcome == WROTE, "it has no end");
        assert_eq!(others, b"c"[..usize::from(outcome == WROTE)]);
        self.0.finish();
    }
}

/// The process that is forked is the victim; its parent lives, or is killed while it is halted, and others take its numbers.
struct Newborn {
    forks: Forks,
    parent: Option<Child>,
    kills_parent: bool,
}

/// Whether children halt before the library knows of them.
static HALTS: AtomicBool = AtomicBool::new(false);

/// Registers a handler that comes before the library's: nothing in this process has made an inheritable end yet.
fn with_handler() {
    extern "C" fn child() {
        if HALTS.swap(false, Ordering::SeqCst) {
            let told = told();
            told.set(CHILD, getpid().as_raw().unsigned_abs().into());
            told.until(TRACED, 1);
            mark();
        }
    }
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        // SAFETY: the handler is a function of this program, and does nothing that a child may not.
        #[allow(unsafe_code)]
        let failed = unsafe { libc::pthread_atfork(None, None, Some(child)) };
        assert_eq!(failed, 0);
    });
}

/// Shared by all processes that are forked after its first use.
fn told() -> Shared {
    static TOLD: std::sync::OnceLock<Shared> = std::sync::OnceLock::new();
    *TOLD.get_or_init(Shared::new)
}

impl Newborn {
    fn new(kills_parent: bool) -> Self {
        with_handler();
        Self {
            forks: Forks::new(told()),
            parent: None,
            kills_parent,
        }
    }
}

impl Scene for Newborn {
    fn start(&mut self, stage: Stage) -> Single {
        let (forks, told) = (&self.forks, self.forks.told);
        self.parent = Some(forked(|| {
            let mut tx = Some(forks.writer());
            HALTS.store(true, Ordering::SeqCst);
            let child = forked(|| {
                stage.end();
                let mut tx = take(&mut tx).expect("it is there");
                told.set(OUTCOME, use_end(&mut tx, b'c'));
            });
            HALTS.store(false, Ordering::SeqCst);
            told.until(GO, 1);
            assert_eq!(use_end(tx.as_mut().expect("it is there"), b'p'), WROTE);
            drop(tx);
            child.end();
        }));
        told.until(CHILD, 1);
        let child = Pid::from_raw(told.get(CHILD) as i32);
        Single::seize(child, || told.set(TRACED, 1))
    }

    fn victim(&self, _: Stage) {}

    fn meanwhile(&mut self, _: Stage) {
        if self.kills_parent
            && let Some(parent) = self.parent.take()
        {
            parent.kill();
            self.forks.come(3);
        } else {
            self.forks.come(1);
        }
    }

    fn over(&mut self) {
        if self.kills_parent {
            self.forks.check_numbers();
        }
    }

    fn check(mut self, fate: Fate, _: Stage) {
        let told = self.forks.told;
        told.set(GO, 1);
        let lives = self.parent.is_some();
        if let Some(parent) = self.parent.take() {
            parent.join();
        }
        let outcome = told.get(OUTCOME);
        // One that was halted for long is refused, as its parent has not waited.
        assert_eq!(fate == Fate::Ended, outcome != NONE);
        let mut expected = [
            &b"p"[..usize::from(lives)],
            &b"c"[..usize::from(outcome == WROTE)],
        ]
        .concat();
        let mut others = self.forks.check_bytes();
        expected.sort_unstable();
        others.sort_unstable();
        assert_eq!(others, expected);
        self.forks.finish();
    }
}

#[test]
fn fork_with_an_end_that_the_child_has_too() {
    let told = Shared::new();
    sweep("stream fork with an end", || Parent(Forks::new(told)));
}

#[test]
fn be_forked_with_an_end() {
    sweep("stream be forked with an end", || Newborn::new(false));
}

#[test]
fn be_forked_by_a_parent_that_dies() {
    sweep("stream be forked by a parent that dies", || {
        Newborn::new(true)
    });
}
