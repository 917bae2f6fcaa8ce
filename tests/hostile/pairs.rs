//! A ring with one producer and one consumer, of which one process may have either.

use ringpipe::spsc::{Consumer, Items, Producer, Ring};

use crate::ledger::Met;
use crate::victims::{self as v, Watch};

pub(crate) fn produce(watch: &mut Watch, open: impl Fn() -> Result<Ring<u64>, ringpipe::Error>) {
    while !watch.is_over() {
        let Some(ring) = watch.opened(1, &open) else {
            continue;
        };
        let Some(mut tx) = watch.opened(2, || ring.producer()) else {
            continue;
        };
        tx.set_strategy(v::strategy(&mut watch.dice));
        tx.set_peer_loss(v::loss(&mut watch.dice));
        for _ in 0..watch.dice.below(60) {
            let call = watch.dice.below(10) as u64;
            let met = watch.call(10 + call, |dice| push(&mut tx, call, dice));
            if watch.is_over() || matches!(met, Met::Corrupt | Met::Removed) {
                break;
            }
        }
        match watch.dice.below(3) {
            0 => drop(watch.call(3, |_| v::told(tx.finish()))),
            1 => tx.abandon(),
            _ => drop(tx),
        }
    }
    while watch.may_wait() {
        let Some(ring) = watch.opened(1, &open) else {
            continue;
        };
        let Some(mut tx) = watch.opened(2, || ring.producer()) else {
            continue;
        };
        tx.set_strategy(v::sleepy(&mut watch.dice));
        tx.set_peer_loss(v::loss(&mut watch.dice));
        watch.call(40, |dice| match dice.below(3) {
            0 => v::pushed_at_last(tx.push(1)),
            1 => v::pushed_at_last(tx.push_slice(&[1; 9]).map_err(|error| error.cause)),
            _ => v::pushed_at_last(tx.reserve(1).map(|room| room.commit(1))),
        });
    }
}

fn push(tx: &mut Producer<u64>, call: u64, dice: &mut v::Dice) -> Met {
    let some = [7_u64; 9];
    let some = &some[..dice.below(some.len())];
    let (n, time) = (1 + dice.below(tx.capacity()), v::timeout(dice));
    match call {
        0 | 1 => v::pushed(tx.try_push(1)),
        2 => v::pushed_in_time(tx.push_timeout(2, time)),
        3 | 4 => v::pushed(tx.try_push_slice(some).map(|pushed| {
            assert!(pushed <= some.len());
        })),
        5 => v::pushed(tx.try_reserve(n).map(|mut room| {
            let len = room.len();
            assert!(len <= n);
            let (first, second) = room.as_mut_slices();
            assert_eq!(first.len() + second.len(), len);
            first.fill(1);
            second.fill(2);
            room.commit(dice.below(len + 1));
        })),
        6 => v::pushed_in_time(tx.reserve_timeout(n, time).map(|mut room| {
            room.write(some);
            room.commit_written();
        })),
        7 => v::told(tx.peer()),
        8 => v::told(tx.is_disconnected()),
        _ => {
            assert!(tx.len() <= tx.capacity());
            Met::Done
        }
    }
}

pub(crate) fn consume(watch: &mut Watch, open: impl Fn() -> Result<Ring<u64>, ringpipe::Error>) {
    while !watch.is_over() {
        let Some(ring) = watch.opened(1, &open) else {
            continue;
        };
        let Some(mut rx) = watch.opened(2, || ring.consumer()) else {
            continue;
        };
        rx.set_strategy(v::strategy(&mut watch.dice));
        rx.set_peer_loss(v::loss(&mut watch.dice));
        for _ in 0..watch.dice.below(60) {
            let call = watch.dice.below(10) as u64;
            let met = watch.call(30 + call, |dice| pop(&mut rx, call, dice));
            if watch.is_over() || matches!(met, Met::Corrupt | Met::Removed) {
                break;
            }
        }
        match watch.dice.below(2) {
            0 => drop(watch.call(3, |_| v::told(rx.finish()))),
            _ => drop(rx),
        }
    }
    while watch.may_wait() {
        let Some(ring) = watch.opened(1, &open) else {
            continue;
        };
        let Some(mut rx) = watch.opened(2, || ring.consumer()) else {
            continue;
        };
        rx.set_strategy(v::sleepy(&mut watch.dice));
        rx.set_peer_loss(v::loss(&mut watch.dice));
        watch.call(41, |dice| match dice.below(3) {
            0 => v::popped_at_last(rx.pop()),
            1 => v::popped_at_last(rx.pop_slice(&mut [0; 9])),
            _ => v::popped_at_last(rx.peek(1).map(Items::release_all)),
        });
    }
}

fn pop(rx: &mut Consumer<u64>, call: u64, dice: &mut v::Dice) -> Met {
    let mut some = [0; 9];
    let len = dice.below(some.len());
    let some = &mut some[..len];
    let (n, time) = (1 + dice.below(rx.capacity()), v::timeout(dice));
    match call {
        0 | 1 => v::popped(rx.try_pop()),
        2 => v::popped_in_time(rx.pop_timeout(time)),
        3 | 4 => v::popped(rx.try_pop_slice(some).map(|count| assert!(count <= len))),
        5 => v::popped(rx.try_peek(n).map(|items| {
            assert!(items.len() <= n);
            v::sum(items.as_slices());
            let half = items.len() / 2;
            items.release(half);
        })),
        6 => v::popped_in_time(rx.peek_timeout(n, time).map(|items| {
            v::sum(items.as_slices());
            items.release_all();
        })),
        7 => v::told(rx.peer()),
        8 => v::told(rx.is_disconnected()),
        _ => {
            assert!(rx.len() <= rx.capacity());
            Met::Done
        }
    }
}
