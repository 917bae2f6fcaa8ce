//! Forks that do not go smoothly: a parent killed or stopped in the middle, a child stopped, no number or file left.
//!
//! Each test runs in a process that has not used the library before, so that its own fork handlers come before the library's
//! in parent and child, and after them in `prepare`.

mod common;

use std::io::{self, Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, OnceLock};
use std::thread;

use common::apart::{apart_unprepared, segments, sets, skipped};
use common::{Child, Shared, forked_unprepared as forked, until, wait_for_the_end};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid};
use ringpipe::stream::{self, Fifo, Writer};
use ringpipe::{Fault, Name, sysv};

/// Where [`Stage::CHILD`] says which process is stopped, and so on.
static STAGE: OnceLock<Shared> = OnceLock::new();
/// Which handlers stop the process that they run in.
static STOPS: AtomicU64 = AtomicU64::new(0);
/// What another library's handlers lock.
static FOREIGN: Mutex<()> = Mutex::new(());

const IN_CHILD: u64 = 1;
const IN_PARENT: u64 = 2;
const LOCKS: u64 = 4;
const FORKS_IN_CHILD: u64 = 8;
const FORKS_IN_PARENT: u64 = 16;
const LOGS: u64 = 32;

/// Counters of [`STAGE`].
const STOPPED: usize = 0;
const OUTCOME: usize = 1;
const FORKED: usize = 2;
const DROPPED: usize = 3;
const PREPARED: usize = 4;
const GO_ON: usize = 5;

/// Outcomes of a write.
const WROTE: u64 = 1;
const REFUSED: u64 = 2;
const OTHER: u64 = 3;

fn stage() -> Shared {
    *STAGE.get_or_init(Shared::new)
}

/// Registers handlers of another library, which do what [`STOPS`] says.
fn with_handlers() -> Shared {
    extern "C" fn prepare() {
        if STOPS.load(Ordering::SeqCst) & LOCKS != 0 {
            stage().set(PREPARED, 1);
            drop(FOREIGN.lock());
        }
    }
    extern "C" fn parent() {
        fork_if(FORKS_IN_PARENT);
        stop_if(IN_PARENT);
    }
    extern "C" fn child() {
        fork_if(FORKS_IN_CHILD);
        stop_if(IN_CHILD);
        log_if(LOGS);
    }
    // SAFETY: the handlers are functions of this program, and do nothing that a child may not.
    #[allow(unsafe_code)]
    let failed = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    assert_eq!(failed, 0);
    stage()
}

fn stop_if(here: u64) {
    if STOPS.load(Ordering::SeqCst) & here != 0 {
        STOPS.store(0, Ordering::SeqCst);
        stage().set(STOPPED, getpid().as_raw().unsigned_abs().into());
        raise(Signal::SIGSTOP).unwrap();
    }
}

/// A handler of another library that forks: the child of that stays until the end.
fn fork_if(here: u64) {
    if STOPS.load(Ordering::SeqCst) & here == 0 {
        return;
    }
    STOPS.fetch_and(!here, Ordering::SeqCst);
    // SAFETY: the child does nothing but wait.
    #[allow(unsafe_code)]
    if unsafe { libc::fork() } == 0 {
        stage().until(GO_ON, 1);
        // SAFETY: always sound.
        #[allow(unsafe_code)]
        unsafe {
            libc::_exit(0)
        }
    }
}

/// A handler of another library that writes to standard output.
fn log_if(here: u64) {
    if STOPS.load(Ordering::SeqCst) & here != 0 {
        // SAFETY: a call that reads four bytes which are there. It may fail.
        #[allow(unsafe_code)]
        unsafe {
            libc::write(1, b"log\n".as_ptr().cast(), 4)
        };
    }
}

/// Waits until a process has stopped itself; which.
fn until_stopped() -> Pid {
    stage().until(STOPPED, 1);
    let pid = stage().get(STOPPED) as i32;
    until(|| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('T'))
    });
    Pid::from_raw(pid)
}

fn write_one(tx: &mut Writer) -> u64 {
    match tx.write(b"x") {
        Ok(1) => WROTE,
        Err(error) if is_forked(&error) => REFUSED,
        _ => OTHER,
    }
}

fn is_forked(error: &io::Error) -> bool {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref());
    fault == Some(&Fault::Forked)
}

/// A stream that others can open, with a reader that does not wait.
fn fifo() -> (Fifo, stream::Reader) {
    let fifo = Fifo::create(Name::Private).unwrap();
    let rx = fifo.reader_nonblocking().unwrap();
    (fifo, rx)
}

/// In a process of its own: a writer that forks, in the course of which one of the two is stopped.
fn forking(fifo: &Fifo, stops: u64, then: impl FnOnce(Writer)) -> Child {
    forked(|| {
        let mut tx = fifo.writer().unwrap();
        tx.set_inheritable(true);
        STOPS.store(stops, Ordering::SeqCst);
        let child = forked(|| {
            stage().set(OUTCOME, write_one(&mut tx));
            stage().until(GO_ON, 1);
        });
        STOPS.store(0, Ordering::SeqCst);
        stage().set(FORKED, child.pid().unsigned_abs().into());
        then(tx);
        child.join();
    })
}

#[test]
fn a_child_whose_parent_died_takes_no_newcomers_place() {
    apart_unprepared(|| {
        let stage = with_handlers();
        let (fifo, mut rx) = fifo();
        let parent = forking(&fifo, IN_CHILD, drop);
        let child = until_stopped();
        parent.kill();
        // These clear up after the parent, and get the numbers that it had: its own and the child's.
        let newcomers = [fifo.writer().unwrap(), fifo.writer().unwrap()];
        kill(child, Signal::SIGCONT).unwrap();
        stage.until(OUTCOME, 1);
        assert_eq!(stage.get(OUTCOME), REFUSED);
        for mut tx in newcomers {
            assert_eq!(write_one(&mut tx), WROTE);
        }
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 2);
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 0, "no writer is left");
        stage.set(GO_ON, 1);
    });
}

#[test]
fn a_stopped_child_holds_up_neither_fork_nor_close() {
    apart_unprepared(|| {
        let stage = with_handlers();
        let (fifo, mut rx) = fifo();
        let parent = forking(&fifo, IN_CHILD, |tx| {
            stage.until(DROPPED, 1);
            drop(tx);
        });
        let child = until_stopped();
        // In the parent, another thread would have to wait for as long as the fork.
        stage.until(FORKED, 1);
        stage.set(DROPPED, 1);
        until(|| rx.read(&mut [0; 9]).is_ok_and(|n| n == 0));
        kill(child, Signal::SIGCONT).unwrap();
        stage.until(OUTCOME, 1);
        assert_eq!(stage.get(OUTCOME), REFUSED);
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 0);
        stage.set(GO_ON, 1);
        parent.join();
    });
}

#[test]
fn other_threads_close_ends_while_a_fork_waits() {
    apart_unprepared(|| {
        let stage = with_handlers();
        let (fifo, _rx) = fifo();
        let parent = forked(|| {
            let other = thread::spawn(move || {
                let (tx, _) = stream::pipe().unwrap();
                stage.set(PREPARED, 1);
                until_stopped();
                drop(tx);
                let before_the_fork_is_done = stage.get(FORKED) == 0;
                stage.set(DROPPED, 1 + u64::from(before_the_fork_is_done));
            });
            stage.until(PREPARED, 1);
            let mut tx = fifo.writer().unwrap();
            tx.set_inheritable(true);
            STOPS.store(IN_CHILD, Ordering::SeqCst);
            let child = forked(|| ());
            stage.set(FORKED, 1);
            other.join().unwrap();
            child.signal(Signal::SIGCONT);
            child.join();
        });
        stage.until(DROPPED, 1);
        assert_eq!(stage.get(DROPPED), 2, "it had to wait for the fork");
        parent.join();
    });
}

#[test]
fn a_child_of_a_stopped_parent_has_its_end() {
    apart_unprepared(|| {
        let stage = with_handlers();
        let (fifo, mut rx) = fifo();
        let parent = forking(&fifo, IN_PARENT, |tx| {
            stage.until(DROPPED, 1);
            drop(tx);
        });
        let stopped = until_stopped();
        stage.until(OUTCOME, 1);
        assert_eq!(stage.get(OUTCOME), WROTE);
        kill(stopped, Signal::SIGCONT).unwrap();
        stage.until(FORKED, 1);
        stage.set(DROPPED, 1);
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 1);
        assert!(rx.read(&mut [0; 9]).is_err(), "the child has its end");
        stage.set(GO_ON, 1);
        parent.join();
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 0);
    });
}

#[test]
fn no_lock_is_held_while_other_handlers_run() {
    apart_unprepared(|| {
        let stage = with_handlers();
        let (mut tx, _rx) = stream::pipe().unwrap();
        let held = FOREIGN.lock();
        let other = thread::spawn(move || {
            STOPS.store(LOCKS, Ordering::SeqCst);
            forked(|| assert_eq!(write_one(&mut tx), WROTE)).join();
        });
        stage.until(PREPARED, 1);
        // The other thread is between the library's handler and the fork, and waits for this one.
        let (more, _) = stream::pipe().unwrap();
        drop(more);
        drop(held);
        other.join().unwrap();
    });
}

/// Handlers are registered with the first pipe: by one thread, by both, but never after either has its pipe.
#[test]
fn the_first_pipes_of_two_threads_are_inherited() {
    apart_unprepared(|| {
        let first = || {
            let start = Barrier::new(2);
            let pipe_and_fork = || {
                start.wait();
                let (mut tx, mut rx) = stream::pipe().unwrap();
                forked(|| assert_eq!(write_one(&mut tx), WROTE)).join();
                assert_eq!(rx.read(&mut [0; 9]).unwrap(), 1);
            };
            thread::scope(|scope| {
                (0..2).for_each(|_| drop(scope.spawn(pipe_and_fork)));
            });
        };
        (0..200).for_each(|_| forked(first).join());
    });
}

/// Forks a child that must not have its end, after something was done to it that keeps it from inheriting.
fn a_grandchild_without(prepare: impl FnOnce(), fork: impl FnOnce(&mut dyn FnMut())) {
    let options = stream::Options::new().participants(4);
    let (mut tx, mut rx) = options.pipe().unwrap();
    let child = forked(|| {
        prepare();
        // This process has its end, but has not used it yet.
        fork(&mut || stage().set(OUTCOME, write_one(&mut tx)));
        assert_eq!(stage().get(OUTCOME), REFUSED);
        assert_eq!(write_one(&mut tx), WROTE);
    });
    child.join();
    drop(tx);
    let mut all = Vec::new();
    assert_eq!(rx.read_to_end(&mut all).unwrap(), 1);
}

#[test]
fn a_grandchild_without_a_number_is_refused() {
    apart_unprepared(|| {
        stage();
        // Two for the parent, two for the child, and none is left.
        a_grandchild_without(|| (), |work| forked(work).join());
    });
}

#[test]
fn a_grandchild_without_files_is_refused() {
    apart_unprepared(|| {
        stage();
        let no_files = || {
            let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, 3, hard).unwrap();
        };
        a_grandchild_without(no_files, |work| forked(work).join());
    });
}

#[test]
fn a_grandchild_by_a_bare_clone_is_refused() {
    apart_unprepared(|| {
        stage();
        a_grandchild_without(
            || (),
            |work| {
                // SAFETY: as fork(2), but that the C library does not know; the child has one thread, and uses what it may.
                #[allow(unsafe_code)]
                let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
                if pid == 0 {
                    work();
                    // SAFETY: always sound.
                    #[allow(unsafe_code)]
                    unsafe {
                        libc::_exit(0)
                    }
                }
                waitpid(Pid::from_raw(pid as i32), None).unwrap();
            },
        );
    });
}

/// The numbers of a stream that somebody has, how often each.
fn lives(fifo: &Fifo) -> Vec<u16> {
    let status = fifo.status().unwrap().unwrap();
    let values = sysv::semctl_getall(status.set.unwrap()).unwrap();
    values[9..].iter().copied().filter(|n| *n > 0).collect()
}

/// Whose copy of what was prepared leads nowhere: the end is the child's and the parent's, and nobody else's.
fn another_fork_in_a_handler(stops: u64) {
    apart_unprepared(|| {
        let stage = with_handlers();
        let (fifo, mut rx) = fifo();
        let parent = forking(&fifo, stops, |tx| {
            stage.until(DROPPED, 1);
            drop(tx);
        });
        stage.until(OUTCOME, 1);
        assert_eq!(stage.get(OUTCOME), WROTE);
        stage.until(FORKED, 1);
        until(|| lives(&fifo).len() == 3);
        assert_eq!(lives(&fifo), [1, 1, 1], "the reader, parent and child");
        stage.set(DROPPED, 1);
        until(|| lives(&fifo).len() == 2);
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 1);
        assert!(rx.read(&mut [0; 9]).is_err(), "the child has its end");
        stage.set(GO_ON, 1);
        parent.join();
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 0);
        assert_eq!(lives(&fifo), [1], "nobody else has a number");
    });
}

#[test]
fn another_fork_in_a_childs_handler_has_no_end() {
    another_fork_in_a_handler(FORKS_IN_CHILD);
}

#[test]
fn another_fork_in_a_parents_handler_has_no_end() {
    another_fork_in_a_handler(FORKS_IN_PARENT);
}

#[test]
fn a_fork_that_fails_is_no_death() {
    apart_unprepared(|| {
        let (tx, rx) = stream::pipe().unwrap();
        // Once the first process of a new pid namespace has ended, no other can be made in it.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWPID).unwrap();
        forked(|| ()).join();
        let before = (rx.writers().unwrap().deaths, tx.readers().unwrap().deaths);
        // SAFETY: there is no child.
        #[allow(unsafe_code)]
        let failed = unsafe { libc::fork() };
        assert_eq!(failed, -1, "{}", io::Error::last_os_error());
        let after = (rx.writers().unwrap().deaths, tx.readers().unwrap().deaths);
        assert_eq!(after, before);
        assert_eq!(rx.writers().unwrap().alive, 1);
    });
}

#[test]
fn a_child_that_closes_what_it_inherited_leaves_nothing() {
    apart_unprepared(|| {
        let stage = stage();
        let mut both = Some(stream::pipe().unwrap());
        let child = forked(|| {
            // This one has not used them yet.
            let grandchild = forked(|| {
                stage.until(DROPPED, 1);
                let (mut tx, mut rx) = both.take().unwrap();
                assert_eq!(write_one(&mut tx), WROTE);
                assert_eq!(rx.read(&mut [0; 9]).unwrap(), 1);
                drop((tx, rx));
            });
            drop(both.take());
            stage.add(FORKED);
            grandchild.join();
        });
        drop(both.take());
        stage.until(FORKED, 1);
        stage.set(DROPPED, 1);
        child.join();
        assert_eq!((segments(), sets()), (vec![], vec![]));
    });
}

#[test]
fn who_prints_where_standard_output_is_closed_disturbs_no_fork() {
    apart_unprepared(|| {
        let stage = with_handlers();
        let (mut tx, _rx) = stream::pipe().unwrap();
        for standard in 0..3 {
            // SAFETY: this process has no use for them.
            #[allow(unsafe_code)]
            unsafe {
                libc::close(standard)
            };
        }
        STOPS.store(LOGS, Ordering::SeqCst);
        forked(|| stage.set(OUTCOME, write_one(&mut tx))).join();
        assert_eq!(stage.get(OUTCOME), WROTE);
    });
}

#[test]
fn a_child_may_first_say_that_an_end_is_not_inherited() {
    apart_unprepared(|| {
        let stage = stage();
        let (tx, mut rx) = stream::pipe().unwrap();
        let mut tx = Some(tx);
        let child = forked(|| {
            let mut tx = tx.take().unwrap();
            tx.set_inheritable(false);
            forked(|| assert_eq!(write_one(&mut tx), REFUSED)).join();
            assert_eq!(write_one(&mut tx), WROTE);
            drop(tx);
            stage.set(DROPPED, 1);
            wait_for_the_end();
        });
        drop(tx);
        stage.until(DROPPED, 1);
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 1);
        assert_eq!(rx.read(&mut [0; 9]).unwrap(), 0, "all have closed it");
        assert_eq!(rx.writers().unwrap().deaths, 0);
        child.kill();
    });
}

#[test]
fn an_end_that_is_not_inherited_cannot_be_made_so_in_a_child() {
    apart_unprepared(|| {
        let (fifo, _rx) = fifo();
        let mut tx = fifo.writer().unwrap();
        forked(|| {
            tx.set_inheritable(true);
            assert_eq!(write_one(&mut tx), REFUSED);
            forked(|| assert_eq!(write_one(&mut tx), REFUSED)).join();
        })
        .join();
        assert_eq!(write_one(&mut tx), WROTE);
    });
}

/// A value of a thread, in whose destructor it forks.
struct ForksAtTheEnd;

impl Drop for ForksAtTheEnd {
    fn drop(&mut self) {
        forked(|| ()).join();
        stage().set(FORKED, 1);
    }
}

thread_local! {
    static LAST: ForksAtTheEnd = const { ForksAtTheEnd };
}

#[test]
fn a_fork_in_a_threads_destructor_is_a_fork() {
    apart_unprepared(|| {
        let stage = stage();
        let (mut tx, _rx) = stream::pipe().unwrap();
        let thread = thread::spawn(|| {
            LAST.with(|_| ());
            forked(|| ()).join(); // from here on, the library has a value of the thread, too
        });
        thread.join().unwrap();
        stage.until(FORKED, 1);
        assert_eq!(write_one(&mut tx), WROTE);
    });
}

/// std forks where posix_spawn(3) cannot do what was asked for.
#[test]
fn a_program_that_is_forked_keeps_the_ends_until_it_ends() {
    apart_unprepared(|| {
        let (tx, mut rx) = stream::pipe().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let sleep = Command::new("sleep").arg("1000").env("PATH", path).spawn();
        let Ok(mut sleep) = sleep else {
            return skipped("there is no sleep(1)");
        };
        drop(tx);
        rx.set_nonblocking(true);
        let kind = rx.read(&mut [0]).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::WouldBlock);
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert_eq!(rx.read(&mut [0]).unwrap(), 0);
    });
}

/// What `make -j40` starts, and ten more.
#[test]
fn fifty_children_at_a_time_have_both_ends() {
    apart_unprepared(|| {
        stage();
        let (mut tx, mut rx) = stream::pipe().unwrap();
        let go_on = stage();
        let children: Vec<_> = (0..50)
            .map(|_| {
                forked(|| {
                    assert_eq!(write_one(&mut tx), WROTE);
                    go_on.until(GO_ON, 1);
                })
            })
            .collect();
        rx.read_exact(&mut [0; 50]).unwrap();
        go_on.set(GO_ON, 1);
        children.into_iter().for_each(Child::join);
    });
}
