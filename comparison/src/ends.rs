//! What the two sides do in a measurement, whichever way they go by.

use crate::common::duel::{Ends, start};
use crate::timing::{Taken, Times, now};
use crate::way::{Message, Rx, Tx, Way};

/// One message at a time.
pub(crate) fn single<const N: usize, W: Way<N>>(messages: usize) -> Ends {
    let (source, sink) = W::open(messages);
    Ends {
        source: start(move || {
            let mut tx = source();
            move |numbers| numbers.for_each(|n| tx.send(&[n; N]))
        }),
        sink: start(move || {
            let mut rx = sink();
            move |numbers| numbers.for_each(|n| rx.receive(|message| check(message, n)))
        }),
        between: W::BETWEEN,
    }
}

/// Up to `SLICE` messages at a time.
pub(crate) fn slices<const SLICE: usize, const N: usize, W: Way<N>>(messages: usize) -> Ends {
    let (source, sink) = W::open(messages);
    Ends {
        source: start(move || {
            let mut tx = source();
            move |numbers| {
                for first in numbers.step_by(SLICE) {
                    tx.send_all(SLICE, |i| [first + i as u64; N]);
                }
            }
        }),
        sink: start(move || {
            let mut rx = sink();
            move |numbers| {
                let mut next = numbers.start;
                while next < numbers.end {
                    rx.receive_some(SLICE, |message| {
                        check(message, next);
                        next += 1;
                    });
                }
            }
        }),
        between: W::BETWEEN,
    }
}

/// A message there and an answer back.
#[cfg(test)]
pub(crate) fn echo<const N: usize, W: Way<N>>(messages: usize) -> Ends {
    round_trips::<N, W>(messages, Times::new())
}

/// A message there and an answer back, each time by the clock.
pub(crate) fn round_trips<const N: usize, W: Way<N>>(messages: usize, times: Times) -> Ends {
    let (ask, asked) = W::open(messages);
    let (answer, answered) = W::open(messages);
    Ends {
        source: start(move || {
            let (mut rx, mut tx) = (asked(), answer());
            move |numbers| {
                for n in numbers {
                    rx.receive(|message| check(message, n));
                    tx.send(&[!n; N]);
                }
            }
        }),
        sink: start(move || {
            let (mut tx, mut rx) = (ask(), answered());
            move |numbers| {
                let mut taken = Taken::new();
                for n in numbers {
                    let asked = now();
                    tx.send(&[n; N]);
                    rx.receive(|message| check(message, !n));
                    taken.enter(now() - asked);
                }
                times.put(taken);
            }
        }),
        between: W::BETWEEN,
    }
}

/// Panics unless each word has the message's number. Not by a comparison of arrays, which calls bcmp and takes longer than the way
/// through.
#[inline(always)]
fn check<const N: usize>(message: &Message<N>, n: u64) {
    if message.iter().fold(0, |wrong, word| wrong | (word ^ n)) != 0 {
        wrong(n);
    }
}

#[cold]
fn wrong(n: u64) -> ! {
    panic!("message {n} did not come whole or in its turn");
}
