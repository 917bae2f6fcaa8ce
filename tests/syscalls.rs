//! While nobody has to wait, items move without a system call: counted by a filter that lets each call that either
//! process makes while it moves a million items ring a counter.
#![allow(missing_docs)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use common::{Shared, forked, watched};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use ringpipe::spsc::{Consumer, Producer, Ring};

/// Counters in shared memory: system calls of the producer, of the consumer; rounds done by each.
const BY_PRODUCER: usize = 0;
const BY_CONSUMER: usize = 1;
const FILLED: usize = 2;
const EMPTIED: usize = 3;

const ITEMS: u64 = 1_000_000;
const CAPACITY: u64 = 1000;

/// Where this process's handler counts.
static COUNTED: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: i32) {
    COUNTED.fetch_add(1, Ordering::Relaxed);
}

/// From now on, each system call of this process is refused with ENOSYS and counted, but for those that end it.
fn count_system_calls() {
    let action = SigAction::new(
        SigHandler::Handler(count),
        SaFlags::SA_NODEFER,
        SigSet::empty(),
    );
    // SAFETY: the handler adds to an atomic.
    #[allow(unsafe_code)]
    unsafe { sigaction(Signal::SIGSYS, &action) }.unwrap();
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let allow = |call: i64| {
        let compare = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        libc::sock_filter {
            code: compare as u16,
            jt: 0,
            jf: 1,
            k: call as u32,
        }
    };
    let give = libc::BPF_RET | libc::BPF_K;
    let filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0), // the call's number
        allow(libc::SYS_rt_sigreturn),
        statement(give, libc::SECCOMP_RET_ALLOW),
        allow(libc::SYS_exit_group),
        statement(give, libc::SECCOMP_RET_ALLOW),
        statement(give, libc::SECCOMP_RET_TRAP),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: takes numbers only.
    #[allow(unsafe_code)]
    let allowed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the kernel copies the program, which outlives the call.
    #[allow(unsafe_code)]
    let set = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    assert_eq!((allowed, set), (0, 0));
}

/// Waits without a system call.
fn spin_until(shared: Shared, index: usize, value: u64) {
    while shared.get(index) < value {
        std::hint::spin_loop();
    }
}

fn push_rounds(tx: &mut Producer<u64>, shared: Shared) {
    for round in 0..ITEMS / CAPACITY {
        // Half the ring, so that it is never full: nobody has to wait.
        spin_until(shared, EMPTIED, round);
        (0..CAPACITY).for_each(|n| tx.push(round * CAPACITY + n).unwrap());
        shared.set(FILLED, round + 1);
    }
}

fn pop_rounds(rx: &mut Consumer<u64>, shared: Shared) {
    for round in 0..ITEMS / CAPACITY {
        spin_until(shared, FILLED, round + 1);
        (0..CAPACITY).for_each(|n| assert_eq!(rx.pop(), Ok(round * CAPACITY + n)));
        shared.set(EMPTIED, round + 1);
    }
}

#[test]
fn a_million_items_take_no_system_call() {
    let (place, _watchdog) = watched("a million items");
    let ring = Ring::<u64>::create(place.path(), 2 * CAPACITY as usize).unwrap();
    let shared = Shared::new();
    let theirs = ring.clone();
    let producer = forked(move || {
        let mut tx = theirs.producer().unwrap();
        count_system_calls();
        push_rounds(&mut tx, shared);
        shared.set(BY_PRODUCER, COUNTED.load(Ordering::Relaxed));
        std::mem::forget(tx); // its end is a system call
        std::mem::forget(theirs);
    });
    let theirs = ring.clone();
    let consumer = forked(move || {
        let mut rx = theirs.consumer().unwrap();
        count_system_calls();
        pop_rounds(&mut rx, shared);
        shared.set(BY_CONSUMER, COUNTED.load(Ordering::Relaxed));
        std::mem::forget(rx);
        std::mem::forget(theirs);
    });
    producer.join();
    consumer.join();
    assert_eq!(shared.get(EMPTIED), ITEMS / CAPACITY);
    assert_eq!((shared.get(BY_PRODUCER), shared.get(BY_CONSUMER)), (0, 0));
}

/// The counter counts: what does make a system call shows.
#[test]
fn a_wake_up_is_counted() {
    let (place, _watchdog) = watched("a wake-up");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let shared = Shared::new();
    let child = forked(move || {
        let tx = ring.producer().unwrap();
        count_system_calls();
        let _ = tx.peer(); // asks the kernel
        shared.set(BY_PRODUCER, COUNTED.load(Ordering::Relaxed));
        std::mem::forget(tx);
        std::mem::forget(ring);
    });
    child.join();
    assert!(shared.get(BY_PRODUCER) > 0);
}
