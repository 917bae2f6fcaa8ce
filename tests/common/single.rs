//! A forked process that is halted at a mark in its work, goes on from there instruction by instruction, or to a given
//! one at full speed, and is killed wherever it is.

use std::arch::asm;
use std::ffi::c_void;
use std::mem::offset_of;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Child, forked};

/// How long a process may be about a step before the kernel is asked whether it sleeps.
const AT_ONCE: Duration = Duration::from_micros(100);

/// Halts the process that calls this, if a [`Single`] is made of it.
#[inline(always)]
pub fn mark() {
    // SAFETY: a breakpoint changes nothing; the signal that it raises is the tracer's.
    #[allow(unsafe_code)]
    unsafe {
        asm!("int3");
    }
}

/// What became of a process that was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is halted again.
    Halted,
    /// It sleeps in a system call, and will be halted when that is over.
    Asleep,
}

/// A process that goes on by single instructions. Killed and reaped at the end, whatever happens.
#[derive(Debug)]
pub struct Single {
    child: Child,
    halted: bool,
}

impl Single {
    /// Forks a process, which goes to the first mark in `work`. It must be used by the thread that made it.
    pub fn new(work: impl FnOnce()) -> Self {
        let child = forked(|| {
            ptrace::traceme().expect("nobody traces it yet");
            work();
        });
        let pid = Pid::from_raw(child.pid());
        let halted = waitpid(pid, None).expect("it is our child");
        assert_eq!(halted, WaitStatus::Stopped(pid, Signal::SIGTRAP));
        ptrace::setoptions(pid, Options::PTRACE_O_EXITKILL).expect("it is halted");
        Self {
            child,
            halted: true,
        }
    }

    /// Seizes a process that another one has forked, tells it so by `go`, and waits until it has come to a mark. It must be used by
    /// the thread that made it.
    pub fn seize(pid: Pid, go: impl FnOnce()) -> Self {
        ptrace::seize(pid, Options::PTRACE_O_EXITKILL).expect("it may be traced");
        go();
        let halted = waitpid(pid, None).expect("it is traced");
        assert_eq!(halted, WaitStatus::Stopped(pid, Signal::SIGTRAP));
        Self {
            child: Child::traced(pid),
            halted: true,
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.pid())
    }

    /// The address of its next instruction.
    pub fn at(&self) -> u64 {
        ptrace::read_user(self.pid(), of_user(offset_of!(libc::user, regs.rip)))
            .expect("it is halted")
            .cast_unsigned()
    }

    /// Lets it go on by one instruction.
    pub fn step(&mut self) -> Moved {
        ptrace::step(self.pid(), None).expect("it is halted");
        self.halted = false;
        self.wait()
    }

    /// Lets it go on to the next mark, or to where it is to be stopped.
    pub fn go_on(&mut self) -> Moved {
        ptrace::cont(self.pid(), None).expect("it is halted");
        self.halted = false;
        self.wait()
    }

    /// Has it stop before the instruction at `address`, by a register of the processor; at none with `None`.
    pub fn stop_at(&mut self, address: Option<u64>) {
        // The first breakpoint, if there is one; its kind, of zeroes, is "an instruction, one byte of it".
        self.set_debug_register(7, 0);
        if let Some(address) = address {
            self.set_debug_register(0, address);
            self.set_debug_register(7, 1);
        }
    }

    fn set_debug_register(&self, register: usize, value: u64) {
        let offset = offset_of!(libc::user, u_debugreg) + 8 * register;
        ptrace::write_user(self.pid(), of_user(offset), value.cast_signed())
            .expect("it is halted, and the processor has breakpoints");
    }

    /// Waits until it is halted, or sleeps.
    pub fn wait(&mut self) -> Moved {
        let begin = Instant::now();
        while !self.halted {
            match waitpid(self.pid(), Some(WaitPidFlag::WNOHANG)).expect("it is our child") {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => self.halted = true,
                WaitStatus::StillAlive if begin.elapsed() > AT_ONCE && self.child.is_asleep() => {
                    return Moved::Asleep;
                }
                WaitStatus::StillAlive => thread::yield_now(),
                other => self.fail(other),
            }
        }
        Moved::Halted
    }

    /// It has come to an end, or to a signal, that nobody expected.
    fn fail(&mut self, found: WaitStatus) -> ! {
        if !matches!(found, WaitStatus::Stopped(..)) {
            self.child.forget();
        }
        panic!("the process came to {found:?}");
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(self) {
        self.child.kill();
    }

    /// Lets it go on to its end, which must be a good one.
    pub fn finish(mut self) {
        assert!(self.halted, "it is on its way");
        loop {
            ptrace::cont(self.pid(), None).expect("it is halted");
            match waitpid(self.pid(), None).expect("it is our child") {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {} // one more mark
                WaitStatus::Exited(_, 0) => return self.child.forget(),
                other => self.fail(other),
            }
        }
    }
}

/// An offset in what the kernel calls the user area, as the call wants it.
fn of_user(offset: usize) -> *mut c_void {
    std::ptr::without_provenance_mut(offset)
}
