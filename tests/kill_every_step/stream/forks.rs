//! What a writer does that forks, with an end that its child has too.

use std::io::Write;
use std::mem::take;

use nix::sys::signal::{SigSet, Signal};
use ringpipe::stream::{Fifo, Reader, Writer};

use super::{as_good_as_new, drain, made, reader, write, writer};
use crate::common::{Shared, forked, until};
use crate::scene::{Fate, Scene, Stage};
use crate::sweep::sweep;

/// What the child says of its end, and whether it is to end.
const OUTCOME: usize = 0;
const GO: usize = 1;

/// Outcomes: none yet, it has written a byte, it was refused.
const NONE: u64 = 0;
const WROTE: u64 = 1;
const REFUSED: u64 = 2;

/// A stream with a reader, and a process that forks.
struct Forks {
    fifo: Fifo,
    reader: Reader,
    /// Writers that come after the one that forks was killed, and so may get its numbers.
    newcomers: Vec<Writer>,
    child: Shared,
}

impl Forks {
    fn new(child: Shared) -> Self {
        let fifo = made();
        child.set(OUTCOME, NONE);
        child.set(GO, 0);
        Self {
            reader: reader(&fifo),
            newcomers: vec![],
            child,
            fifo,
        }
    }

    /// In the child: uses its end, as soon as others may have come in its parent's place.
    fn child(&self, mut tx: Writer) {
        self.child.until(GO, 1);
        let outcome = match tx.write(b"c") {
            Ok(1) => WROTE,
            Ok(n) => panic!("{n} bytes of one"),
            Err(error) => {
                assert_eq!(error.raw_os_error(), None, "{error:?}");
                REFUSED
            }
        };
        self.child.set(OUTCOME, outcome);
    }

    /// Whether there is a child that has been forked: nobody can tell, but it must say something soon.
    fn outcome(&self, is_there: bool) -> u64 {
        self.child.set(GO, 1);
        if is_there {
            self.child.until(OUTCOME, WROTE);
        }
        self.child.get(OUTCOME)
    }
}

impl Scene for Forks {
    fn victim(&self, stage: Stage) {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGCHLD); // would halt it
        signals.thread_block().unwrap();
        let mut tx = writer(&self.fifo);
        tx.set_inheritable(true);
        stage.begin();
        let mut tx = Some(tx);
        let child = forked(|| self.child(take(&mut tx).expect("it is there")));
        stage.report(1);
        stage.end();
        child.join();
    }

    fn meanwhile(&mut self, _: Stage) {
        self.newcomers.push(writer(&self.fifo));
    }

    fn over(&mut self) {
        self.child.set(GO, 1);
    }

    fn check(mut self, fate: Fate, stage: Stage) {
        if fate == Fate::Killed {
            // They clear up after the dead, and take what numbers are free.
            self.newcomers.extend((0..2).map(|_| writer(&self.fifo)));
        }
        let outcome = self.outcome(fate == Fate::Ended || stage.reported() == 1);
        assert!(fate == Fate::Killed || outcome == WROTE, "it has no end");
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
        let of = |byte: u8| all.iter().filter(|other| **other == byte).count();
        assert_eq!(of(b'n'), expected);
        assert_eq!(of(b'c') as u64 == 1, self.child.get(OUTCOME) == WROTE);
        drop(self.reader);
        as_good_as_new(&self.fifo);
    }
}

#[test]
fn fork_with_an_end_that_the_child_has_too() {
    let child = Shared::new();
    sweep("stream fork with an end", || Forks::new(child));
}
