//! A forked process that is halted before and after each of its system calls, and killed at any of them.

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Child, forked, forked_unprepared};

/// A process that goes from halt to halt. Killed and reaped at the end, whatever happens.
#[derive(Debug)]
pub struct Stepped {
    child: Child,
    over: bool,
}

impl Stepped {
    /// Forks a process that has not begun with `work`. It must be stepped by the thread that made it.
    pub fn new(work: impl FnOnce()) -> Self {
        Self::of(forked(halted_before(work)))
    }

    /// The same in a process that has not used the library yet: see [`forked_unprepared`].
    pub fn unprepared(work: impl FnOnce()) -> Self {
        Self::of(forked_unprepared(halted_before(work)))
    }

    fn of(child: Child) -> Self {
        let pid = Pid::from_raw(child.pid());
        let stopped = waitpid(pid, None).expect("it is our child");
        assert_eq!(stopped, WaitStatus::Stopped(pid, Signal::SIGSTOP));
        let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(pid, options).expect("it is stopped");
        Self { child, over: false }
    }

    /// Lets it go on to the next halt, at the beginning or the end of a system call; `false` if it has ended, in
    /// good order.
    pub fn step(&mut self) -> bool {
        let pid = Pid::from_raw(self.child.pid());
        ptrace::syscall(pid, None).expect("it is stopped");
        match waitpid(pid, None).expect("it is our child") {
            WaitStatus::PtraceSyscall(_) => true,
            WaitStatus::Exited(_, 0) => {
                self.over = true;
                false
            }
            other => panic!("it ended with {other:?}"),
        }
    }

    /// The number of the system call that it is about to make; `None` if it is halted elsewhere.
    pub fn call(&self) -> Option<i64> {
        let pid = Pid::from_raw(self.child.pid());
        let info = ptrace::syscall_info(pid).expect("it is halted");
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return None;
        }
        // SAFETY: `op` says that this is the part of the union which the kernel has written.
        #[allow(unsafe_code)]
        let number = unsafe { info.u.entry.nr };
        Some(number.cast_signed())
    }

    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Lets it go on to where it does one operation on a semaphore, which may be to sleep: the other calls have several.
    #[cfg(target_arch = "x86_64")]
    pub fn until_one_operation(&mut self) {
        let pid = Pid::from_raw(self.child.pid());
        while self.step() {
            let call = ptrace::getregs(pid).expect("it is stopped");
            // The C library has semop(2) done by this one, too.
            if call.orig_rax == libc::SYS_semtimedop.cast_unsigned() && call.rdx == 1 {
                return;
            }
        }
        panic!("it does none");
    }

    /// Lets it go on without waiting for where it halts next: see [`Stepped::halt`].
    pub fn let_go(&mut self) {
        ptrace::syscall(Pid::from_raw(self.child.pid()), None).expect("it is stopped");
    }

    /// Waits until it halts, at the beginning or the end of a system call.
    pub fn halt(&mut self) {
        let halted = waitpid(Pid::from_raw(self.child.pid()), None).expect("it is our child");
        assert!(matches!(halted, WaitStatus::PtraceSyscall(_)), "{halted:?}");
    }

    /// Lets it go on to its end, which must be a good one.
    pub fn finish(mut self) {
        while self.step() {}
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        if self.over {
            self.child.forget();
        } else {
            let pid = Pid::from_raw(self.child.pid());
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
            self.child.forget();
        }
    }
}

fn halted_before(work: impl FnOnce()) -> impl FnOnce() {
    || {
        ptrace::traceme().expect("nobody traces it yet");
        raise(Signal::SIGSTOP).expect("a process can stop itself");
        work();
    }
}

/// Runs `work` in processes that are killed: the first at its first halt, the next at its second and so on, until one
/// comes to its end. After each, `look` is told how many halts there were.
pub fn killed_everywhere(mut work: impl FnMut(), look: impl FnMut(usize)) {
    kill_everywhere(|| Stepped::new(&mut work), look);
}

/// The same in processes that have not used the library yet: see [`forked_unprepared`].
pub fn killed_everywhere_unprepared(mut work: impl FnMut(), look: impl FnMut(usize)) {
    kill_everywhere(|| Stepped::unprepared(&mut work), look);
}

fn kill_everywhere(mut start: impl FnMut() -> Stepped, mut look: impl FnMut(usize)) {
    for halts in 0.. {
        let mut process = start();
        let killed = (0..=halts).all(|_| process.step());
        drop(process);
        look(halts);
        if !killed {
            break;
        }
    }
}
