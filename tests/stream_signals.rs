//! Handles in signal handlers: they are not made for it, but where the handler would wait for its own thread, it is told.
#![allow(missing_docs)]

mod common;

use std::io::{Read, Write};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::thread;

use common::{until, watched};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::{getpid, gettid};
use ringpipe::stream::{Fifo, Options, Writer, pipe};

/// One test at a time has the signal.
static ALONE: Mutex<()> = Mutex::new(());
/// What the handler writes by.
static CLONE: AtomicPtr<Writer> = AtomicPtr::new(ptr::null_mut());
static WRITTEN: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

extern "C" fn writes(_: libc::c_int) {
    // SAFETY: it is null, or a writer that outlives the handler and that nobody else uses.
    #[allow(unsafe_code)]
    let clone = unsafe { CLONE.load(Ordering::SeqCst).as_mut() };
    match clone.map(|clone| clone.write(b"s")) {
        Some(Ok(1)) => WRITTEN.fetch_add(1, Ordering::SeqCst),
        Some(Err(error)) if error.raw_os_error() == Some(libc::EDEADLK) => {
            REFUSED.fetch_add(1, Ordering::SeqCst)
        }
        other => {
            eprintln!("{other:?}");
            std::process::abort();
        }
    };
}

/// Has the handler write by that clone while `work` is done.
fn with_handler(clone: &mut Writer, work: impl FnOnce()) {
    CLONE.store(clone, Ordering::SeqCst);
    let action = SigAction::new(
        SigHandler::Handler(writes),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    // SAFETY: the handler makes system calls and touches atomics, as is argued in the library.
    #[allow(unsafe_code)]
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    WRITTEN.store(0, Ordering::SeqCst);
    REFUSED.store(0, Ordering::SeqCst);
    work();
    CLONE.store(ptr::null_mut(), Ordering::SeqCst);
}

#[test]
fn a_handler_is_told_that_its_thread_has_the_turn() {
    let (_place, _watchdog) = watched("a_handler_is_told_that_its_thread_has_the_turn");
    let _alone = ALONE.lock().unwrap();
    let within = Options::new().in_process().unwrap();
    for (mut writer, mut reader) in [pipe().unwrap(), within] {
        let mut clone = writer.try_clone().unwrap();
        with_handler(&mut clone, || {
            let room = writer.reserve(9).unwrap();
            raise(Signal::SIGUSR1).unwrap();
            drop(room);
            assert_eq!(REFUSED.load(Ordering::SeqCst), 1);
            raise(Signal::SIGUSR1).unwrap();
            assert_eq!(WRITTEN.load(Ordering::SeqCst), 1);
        });
        assert_eq!(reader.read(&mut [0; 9]).unwrap(), 1);
    }
}

#[test]
fn a_handler_in_a_writing_thread_never_hangs() {
    let (_place, _watchdog) = watched("a_handler_in_a_writing_thread_never_hangs");
    let _alone = ALONE.lock().unwrap();
    let (mut writer, mut reader) = pipe().unwrap();
    let mut clone = writer.try_clone().unwrap();
    let reading = thread::spawn(move || {
        let (mut all, mut bytes) = ([0_u64; 2], vec![0; 9999]);
        while let n @ 1.. = reader.read(&mut bytes).unwrap() {
            let theirs = bytes[..n].iter().filter(|byte| **byte == b's').count();
            all[0] += (n - theirs) as u64;
            all[1] += theirs as u64;
        }
        all
    });
    let (pid, tid) = (getpid(), gettid());
    let mut sent = 0_u64;
    with_handler(&mut clone, || {
        let over = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..5000 {
                    // SAFETY: it sends a signal to a thread that is there until this one has ended.
                    #[allow(unsafe_code)]
                    unsafe {
                        libc::syscall(libc::SYS_tgkill, pid.as_raw(), tid.as_raw(), libc::SIGUSR1)
                    };
                    let handled =
                        || WRITTEN.load(Ordering::SeqCst) + REFUSED.load(Ordering::SeqCst);
                    until(|| handled() > n);
                }
                over.store(1, Ordering::SeqCst);
            });
            while over.load(Ordering::SeqCst) == 0 {
                writer.write_all(b"mmmm").unwrap();
                sent += 4;
            }
        });
    });
    drop((writer, clone));
    let written = WRITTEN.load(Ordering::SeqCst);
    assert_eq!(reading.join().unwrap(), [sent, written]);
}

/// Who has it is another thread, which lets it go.
#[test]
fn a_turn_of_another_thread_is_waited_for() {
    let (_place, _watchdog) = watched("a_turn_of_another_thread_is_waited_for");
    let fifo = Fifo::create(ringpipe::Name::Private).unwrap();
    let (mut writer, _reader) = fifo.both().unwrap();
    let mut clone = writer.try_clone().unwrap();
    let room = writer.reserve(9).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| clone.write(b"waits").unwrap());
        until(|| fifo.status().unwrap().unwrap().producer.sleeping == 1);
        room.commit(9);
        assert_eq!(waiting.join().unwrap(), 5);
    });
}

/// Bytes are shown to one thread, and taken by the next one.
#[test]
fn a_reader_that_was_handed_on_is_waited_for() {
    use std::io::BufRead;
    let (_place, _watchdog) = watched("a_reader_that_was_handed_on_is_waited_for");
    let fifo = Fifo::create(ringpipe::Name::Private).unwrap();
    let (mut writer, mut reader) = fifo.both().unwrap();
    let mut other = reader.try_clone().unwrap();
    writer.write_all(b"ab").unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"ab");
    let sleeping = move || fifo.status().unwrap().unwrap().consumer.sleeping;
    let taking = thread::spawn(move || {
        until(|| sleeping() == 1);
        reader.consume(1);
    });
    let mut bytes = [0; 2];
    assert_eq!(other.read(&mut bytes).unwrap(), 1);
    assert_eq!(bytes[0], b'b');
    taking.join().unwrap();
}
