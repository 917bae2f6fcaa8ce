//! One who is woken when it is too late for itself.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use ringpipe::stream::Fifo;

use super::{CAPACITY, drain, made, reader, write, writer};
use crate::common::apart::{apart, skipped};
use crate::common::single::{Moved, Single, mark};
use crate::sleeper::Sleeper;

/// Long enough for a thousand single steps.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A writer that waits for more room than there is going to be takes the wake-up for a little room after its time: it gives up,
/// and another that waits for as much as there is goes on.
#[test]
fn a_wake_up_that_comes_too_late_is_anothers() {
    apart(|| {
        let fifo = made();
        let mut rx = reader(&fifo);
        let lowest = writer(&fifo);
        let mut other = writer(&fifo);
        assert!(write(&mut other, &[0; CAPACITY]));
        drop(lowest);
        let mut victim = Single::new(|| give_up(&fifo));
        let begin = Instant::now();
        while victim.step() != Moved::Asleep {}
        if begin.elapsed() > TIMEOUT / 2 {
            victim.kill();
            return skipped("the machine is too slow to step that far in time");
        }

        let set = fifo.status().unwrap().unwrap().set.unwrap();
        let other = Sleeper::new(set, move || {
            other.set_nonblocking(false);
            other.set_write_timeout(None);
            other.write(&[1; 3]).unwrap()
        });
        assert_eq!(std::io::Read::read(&mut rx, &mut [0; 3]).unwrap(), 3);
        while victim.wait() == Moved::Asleep {}
        thread::sleep(TIMEOUT);
        assert!(!other.is_awake(), "the victim has its wake-up");
        victim.go_on();
        assert_eq!(other.awake(), 3);
        victim.finish();
        assert_eq!(drain(&mut rx).0.len(), CAPACITY);
    });
}

fn give_up(fifo: &Fifo) {
    let mut tx = writer(fifo);
    tx.set_nonblocking(false);
    tx.set_write_timeout(Some(TIMEOUT));
    mark();
    let error = tx.write(&[2; 6]).unwrap_err();
    mark();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
