//! Tests in an IPC namespace of their own: nobody else's rings are in it, its limits can be lowered, and
//! whatever a test leaves in it ends with it.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::{fs, io, process};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, alarm, fork, setpgid};

/// The child's exit status where it may have no namespace.
const NOT_ALLOWED: i32 = 77;
/// How long it may take at the very most, in seconds.
const PATIENCE: u32 = 120;

/// Runs `body` in a forked process with an IPC namespace of its own, and panics if it panics there.
///
/// Says so and does nothing where there may be no namespace.
pub fn apart(body: impl FnOnce()) {
    super::ringpipe_prepared();
    apart_unprepared(body);
}

/// The same in a process that has not used the library yet, for files where no test does otherwise: what another thread
/// is about to do once in the process, the child would wait for in vain.
pub fn apart_unprepared(body: impl FnOnce()) {
    let end = in_process(|| {
        if enter_namespace().is_err() {
            return NOT_ALLOWED;
        }
        status_of(body)
    });
    match end {
        WaitStatus::Exited(_, NOT_ALLOWED) => skipped("no permission to make an IPC namespace"),
        other => check_end(other),
    }
}

/// Runs `body` in a forked process, with an IPC namespace of its own where that is allowed; `body` is told whether it has
/// one. Nothing of this process may have used the library yet.
pub fn alone_unprepared(body: impl FnOnce(bool)) {
    check_end(in_process(|| {
        let own_namespace = enter_namespace().is_ok();
        status_of(|| body(own_namespace))
    }));
}

fn check_end(end: WaitStatus) {
    assert!(
        matches!(end, WaitStatus::Exited(_, 0)),
        "the process apart ended with {end:?}"
    );
}

/// Runs `work` in a forked process, which leads a group and does not stay for ever; returns how it ended.
fn in_process(work: impl FnOnce() -> i32) -> WaitStatus {
    show_panics_of_children();
    // SAFETY: the child uses nothing that another thread of the test may hold locked, but for the allocator, which
    // the C library makes usable in children, and ends by `_exit`.
    #[allow(unsafe_code)]
    let child = match unsafe { fork() }.expect("a process can be forked") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let own = Pid::from_raw(0);
            setpgid(own, own).expect("a process can lead a group");
            alarm::set(PATIENCE);
            let status = work();
            // SAFETY: always sound; it ends the process without running what the parent registered.
            #[allow(unsafe_code)]
            unsafe {
                libc::_exit(status)
            }
        }
    };
    let end = waitpid(child, None).expect("it is our child");
    // What it has forked is in its group. If it is all gone already, so much the better.
    let _ = killpg(child, Signal::SIGKILL);
    end
}

/// The test harness would keep what a child's panic says in the child's memory.
fn show_panics_of_children() {
    static DONE: Once = Once::new();
    // Here and not in the child, which would wait for ever for a lock that another thread had when it was forked.
    DONE.call_once(|| {
        let parent = process::id();
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if process::id() == parent {
                usual(panic);
            } else {
                let _ = writeln!(io::stderr(), "{panic}");
            }
        }));
    });
}

fn status_of(body: impl FnOnce()) -> i32 {
    if catch_unwind(AssertUnwindSafe(body)).is_ok() {
        0
    } else {
        101
    }
}

fn enter_namespace() -> io::Result<()> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    if uid.is_root() {
        return Ok(unshare(CloneFlags::CLONE_NEWIPC)?);
    }
    // Everybody may have an IPC namespace in a user namespace of his own, where he is who he was.
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWIPC)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// Says why a test does nothing. Past the test harness, which would keep what a child says in the child's memory.
pub fn skipped(why: &str) {
    let _ = writeln!(io::stderr(), "skipped: {why}");
}

/// Sets a limit of this namespace, named as for sysctl(8); `false` where that is not allowed.
pub fn set_limit(name: &str, value: &str) -> bool {
    fs::write(format!("/proc/sys/{}", name.replace('.', "/")), value).is_ok()
}

/// The ids of all segments of this namespace.
pub fn segments() -> Vec<i32> {
    ids("/proc/sysvipc/shm")
}

/// The ids of all semaphore sets of this namespace.
pub fn sets() -> Vec<i32> {
    ids("/proc/sysvipc/sem")
}

fn ids(list: &str) -> Vec<i32> {
    let list = fs::read_to_string(list).expect("the kernel lists its objects");
    let id = |line: &str| line.split_ascii_whitespace().nth(1)?.parse().ok();
    list.lines()
        .skip(1)
        .map(|line| id(line).expect("a line has an id"))
        .collect()
}
