//! Messages that are sent when they are due, whatever has become of those before: as requests come from people who do
//! not wait for each other.
//!
//! A message that is late, because the way was full or the producer was kept from its processor, is sent at once, and its
//! time still counts from when it was due. So a stall counts for every message that was due during it, not only for the
//! one that happened to be in the way (the error that is known as coordinated omission).

use std::ops::Range;

use crate::common::duel::{Ends, Start, start};
use crate::timing::{Pace, Taken, Times, now};
use crate::way::{Message, Rx, Tx, Way};

/// What a message has in its eight words: its number, when it was due, when it was sent, and its number in the others.
const DUE: usize = 1;
const SENT: usize = 2;

/// When messages are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Nanoseconds from one to the next.
    pub(crate) interval: f64,
    pub(crate) pace: Pace,
}

impl Schedule {
    /// So many per second; an infinite rate makes all of them due at once.
    pub(crate) fn of(rate: f64, pace: Pace) -> Self {
        let interval = 1e9 / rate;
        Self { interval, pace }
    }

    /// Calls `at` for each number when its time, which it is told, has come.
    #[inline(always)]
    fn keep(self, numbers: Range<u64>, mut at: impl FnMut(u64, u64)) {
        let start = now();
        for (i, n) in (0_u64..).zip(numbers) {
            let due = start + (i as f64 * self.interval) as u64;
            self.pace.wait_until(due);
            at(n, due);
        }
    }

    /// The schedule alone: nothing is sent.
    pub(crate) fn alone(self) -> Ends {
        Ends {
            source: start(move || move |numbers| self.keep(numbers, |_, _| {})),
            sink: start(|| |_| {}),
            between: crate::common::duel::Between::Processes,
        }
    }
}

/// Sends by the schedule, and notes how long after it was due each message was there.
pub(crate) fn scheduled<W: Way<8>>(messages: usize, schedule: Schedule, times: Times) -> Ends {
    let (source, sink) = W::open(messages);
    Ends {
        source: start(move || {
            let mut tx = source();
            move |numbers| {
                schedule.keep(numbers, |n, due| tx.send(&[n, due, now(), n, n, n, n, n]));
            }
        }),
        sink: receiving(sink, times),
        between: W::BETWEEN,
    }
}

fn receiving<R: Rx<8>>(sink: impl FnOnce() -> R + Send + 'static, times: Times) -> Start {
    start(move || {
        let mut rx = sink();
        move |numbers| {
            let mut taken = Taken::new();
            for n in numbers {
                let (due, sent) = rx.receive(|message| read(message, n));
                taken.enter(now().saturating_sub(due));
                taken.last_late = sent.saturating_sub(due);
            }
            times.put(taken);
        }
    })
}

/// When the message was due and when it was sent.
#[inline(always)]
fn read(message: &Message<8>, n: u64) -> (u64, u64) {
    let (due, sent) = (message[DUE], message[SENT]);
    assert!(
        *message == [n, due, sent, n, n, n, n, n],
        "message {n} did not come whole or in its turn"
    );
    (due, sent)
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;
    use crate::common::duel::{Between, Laps, run};
    use crate::way::Waits;

    /// A queue whose consumer stops for a while at one message.
    enum Stalling {}

    const STALLS_AT: u64 = 300;
    const STALL: Duration = Duration::from_millis(50);

    type Inner = crate::ways::Rtrb;

    struct Receiver(<Inner as Way<8>>::Rx);

    impl Way<8> for Stalling {
        const NAME: &'static str = "stalling";
        const BETWEEN: Between = Between::Threads;
        const WAITS: Waits = Waits::Awake;
        type Tx = <Inner as Way<8>>::Tx;
        type Rx = Receiver;

        fn open(
            messages: usize,
        ) -> (
            impl FnOnce() -> Self::Tx + Send + 'static,
            impl FnOnce() -> Self::Rx + Send + 'static,
        ) {
            let (source, sink) = <Inner as Way<8>>::open(messages);
            (source, move || Receiver(sink()))
        }
    }

    impl Rx<8> for Receiver {
        fn receive<R>(&mut self, look: impl FnOnce(&Message<8>) -> R) -> R {
            self.0.receive(|message| {
                if message[0] == STALLS_AT {
                    sleep(STALL);
                }
                look(message)
            })
        }
    }

    #[test]
    fn a_stall_counts_for_every_message_that_was_due_during_it() {
        let times = Times::new();
        let schedule = Schedule::of(10_000.0, Pace::Awake);
        // Room for 16: the producer, too, is stopped, for nearly all of the stall.
        let ends = scheduled::<Stalling>(16, schedule, times.clone());
        let laps = Laps {
            warm: 100,
            timed: 1000,
        };
        run(ends, laps);
        let taken = times.take().histogram;
        assert_eq!(taken.len(), 1000);
        // 500 messages were due within the 50 ms; half of these in the first half, who waited for more than the second.
        let slow = |than| taken.len() - taken.count_between(0, than);
        assert!(slow(1_000_000) >= 480, "{} of 490", slow(1_000_000));
        assert!(slow(25_000_000) >= 245, "{} of 250", slow(25_000_000));
        assert!(taken.max() >= 50_000_000);
    }
}
