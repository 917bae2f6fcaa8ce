//! Signals by the thousand, with handlers that restart nothing: no wait ends before its time, and nothing is lost.

use std::thread;
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use ringpipe::{Name, Role};

use crate::common::apart::apart;
use crate::common::{Shared, forked};
use crate::judge::Trouble;
use crate::rings::{End, KINDS, Kind, PLAIN};

const COUNT: u64 = 3000;
const SIGNAL: Signal = Signal::SIGUSR1;

extern "C" fn nothing(_: libc::c_int) {}

fn handle_signals() {
    let handler = SigHandler::Handler(nothing);
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    #[allow(unsafe_code)]
    let set = unsafe { sigaction(SIGNAL, &action) };
    set.expect("a signal that can be handled");
}

/// Counts the waits that a signal has ended, which none may where that was not asked for.
fn interrupted(told: Shared, trouble: &Trouble, interruptible: bool) {
    assert!(
        matches!(trouble, Trouble::Interrupted) && interruptible,
        "{trouble:?}"
    );
    told.add(INTERRUPTED);
}

const READY: usize = 0;
const SENT: usize = 1;
const INTERRUPTED: usize = 2;

fn push_all(mut tx: End, told: Shared, interruptible: bool) {
    tx.set_interruptible(interruptible);
    for item in 0..COUNT {
        while let Err((back, trouble)) = tx.push(item) {
            assert_eq!(back, item);
            interrupted(told, &trouble, interruptible);
        }
    }
    tx.finish().expect("the consumer is there");
}

fn pop_all(mut rx: End, told: Shared, interruptible: bool) {
    rx.set_interruptible(interruptible);
    let mut next = 0;
    loop {
        match rx.pop() {
            Ok(item) => {
                assert_eq!(item, next);
                next += 1;
                if item % 50 == 0 {
                    thread::sleep(Duration::from_micros(300)); // so that the producer sleeps
                }
            }
            Err(Trouble::Disconnected) => break,
            Err(trouble) => interrupted(told, &trouble, interruptible),
        }
    }
    assert_eq!(next, COUNT, "items are lost");
}

fn storm(kind: Kind, interruptible: bool, told: Shared) {
    let ring = kind.create(&Name::Private, PLAIN).expect("it is new");
    // A stream's writer needs a reader, and without a writer it is at its end.
    let opener = (kind == Kind::Stream).then(|| ring.both().expect("nobody is there"));
    let consumer = forked(|| {
        handle_signals();
        let rx = ring.join(Role::Consumer).expect("a role is free");
        told.add(READY);
        pop_all(rx, told, interruptible);
    });
    told.until(READY, 1);
    let producer = forked(|| {
        handle_signals();
        let tx = ring.join(Role::Producer).expect("a role is free");
        told.add(READY);
        told.until(READY, 3);
        push_all(tx, told, interruptible);
    });
    told.until(READY, 2);
    drop(opener);
    told.add(READY);
    let mut at_work = vec![producer, consumer];
    while !at_work.is_empty() {
        for one in &at_work {
            one.signal(SIGNAL);
            told.add(SENT);
        }
        thread::sleep(Duration::from_micros(150));
        at_work.retain_mut(|one| !one.has_ended());
    }
}

#[test]
fn nothing_is_lost_in_a_storm_of_signals() {
    for kind in KINDS {
        for interruptible in [false, true] {
            let told = Shared::new();
            apart(|| storm(kind, interruptible, told));
            println!(
                "a storm on {kind:?}: {COUNT} items, {} signals, {} waits ended by them",
                told.get(SENT),
                told.get(INTERRUPTED)
            );
        }
    }
}
