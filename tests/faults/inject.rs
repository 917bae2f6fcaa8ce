//! A forked process whose system calls are watched between two marks, and one of which fails.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use libc::user_regs_struct;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::calls::{Call, Deed};
use crate::common::forked_unprepared;
use crate::stage::Stage;

/// What is so throughout, whichever call fails besides.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Calls that the kernel does not have, or a sandbox forbids, with the error that comes back.
    pub lacks: fn(&Call) -> Option<i32>,
    /// Whether it is the child's calls that are watched, from the first fork of the process to its own mark.
    pub in_child: bool,
}

pub const USUAL: Machine = Machine {
    lacks: |_| None,
    in_child: false,
};

/// Which call fails, the `nth` of that number, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub nth: usize,
    pub number: i64,
    pub deed: Deed,
}

/// What became of a process.
#[derive(Debug)]
pub struct Outcome {
    /// The calls between the marks.
    pub calls: Vec<Call>,
    /// Whether the call was there to fail.
    pub hit: bool,
    pub end: WaitStatus,
}

/// Forks a process that does `work`, and has one of its calls fail.
pub fn run(stage: Stage, machine: Machine, fault: Option<Fault>, work: impl FnOnce()) -> Outcome {
    let mut child = forked_unprepared(|| {
        ptrace::traceme().expect("nobody traces it yet");
        nix::unistd::alarm::set(20); // a watchdog
        work();
    });
    let mut tracer = Tracer {
        pid: Pid::from_raw(child.pid()),
        stage,
        machine,
        fault,
        marks: 0,
        calls: vec![],
        undone: BTreeSet::new(),
        watching: false,
        hit: false,
    };
    let mut end = tracer.follow();
    if tracer.pid.as_raw() != child.pid() {
        end = child.end();
    } else {
        child.forget();
    }
    Outcome {
        calls: tracer.calls,
        hit: tracer.hit,
        end,
    }
}

struct Tracer {
    pid: Pid,
    stage: Stage,
    machine: Machine,
    fault: Option<Fault>,
    marks: u32,
    calls: Vec<Call>,
    /// The sets for which the process has adjustments.
    undone: BTreeSet<u64>,
    watching: bool,
    hit: bool,
}

impl Tracer {
    /// From the first stop to the end.
    fn follow(&mut self) -> WaitStatus {
        // Nothing was traced from the beginning on but for its marks; so what it did before them is looked at too.
        let mut stop = self.wait();
        let mut options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
        options.set(Options::PTRACE_O_TRACEFORK, self.machine.in_child);
        if let WaitStatus::Stopped(..) = stop {
            ptrace::setoptions(self.pid, options).expect("it is halted");
        }
        loop {
            let signal = match stop {
                WaitStatus::PtraceSyscall(_) => {
                    self.call();
                    None
                }
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                    self.marks += 1;
                    self.watching = self.marks == 2;
                    None
                }
                WaitStatus::Stopped(_, signal) => Some(signal),
                end => return end,
            };
            // From the third mark on, at full speed.
            if self.marks < 3 {
                ptrace::syscall(self.pid, signal).expect("it is halted");
            } else {
                ptrace::cont(self.pid, signal).expect("it is halted");
            }
            stop = self.wait();
        }
    }

    fn wait(&self) -> WaitStatus {
        waitpid(self.pid, None).expect("it is our child")
    }

    /// At the beginning of a call: to its end.
    fn call(&mut self) {
        let mut registers = self.registers();
        let call = self.look(&registers);
        let mut deed = self.watching.then(|| self.due(&call)).flatten();
        if self.watching {
            self.calls.push(call.clone());
        }
        if let Some(deed) = deed
            && !self.hit
        {
            self.hit = true;
            self.stage.hit(&call, deed);
        }
        deed = deed.or((self.machine.lacks)(&call).map(Deed::instead));
        if let Some(deed) = deed
            && !deed.after
        {
            registers.orig_rax = u64::MAX; // no call at all
            self.set(registers);
        }
        if matches!(call.number, libc::SYS_exit | libc::SYS_exit_group) {
            return;
        }
        ptrace::syscall(self.pid, None).expect("it is halted");
        match self.wait() {
            WaitStatus::PtraceSyscall(_) => {}
            WaitStatus::PtraceEvent(..) => return self.become_the_child(),
            other => panic!("{call:?} came to {other:?}"),
        }
        let mut registers = self.registers();
        if let Some(deed) = deed {
            registers.rax = i64::from(-deed.errno).cast_unsigned();
            self.set(registers);
        } else if call.undoes() && registers.rax == 0 {
            self.undone.insert(call.args[0]);
        }
    }

    /// Lets the process go that has forked, and goes on with the other.
    fn become_the_child(&mut self) {
        let child = ptrace::getevent(self.pid).expect("it has forked");
        let child = Pid::from_raw(child as i32);
        ptrace::detach(self.pid, None).expect("it is halted");
        self.pid = child;
        self.wait();
        (self.marks, self.watching) = (2, true);
    }

    /// What is to be done to this call, if it is the one; or another after it, if the fault lasts.
    fn due(&self, call: &Call) -> Option<Deed> {
        let fault = self.fault?;
        if self.hit && fault.deed.lasting {
            let again = self.stage.failures() == 0
                && call.number == fault.number
                && call.deeds().contains(&fault.deed);
            return again.then_some(fault.deed);
        }
        let alike = self
            .calls
            .iter()
            .filter(|other| other.number == call.number);
        let is_it = call.number == fault.number && alike.count() == fault.nth;
        let deeds = is_it.then(|| call.deeds());
        deeds?.into_iter().find(|deed| *deed == fault.deed)
    }

    fn look(&self, registers: &user_regs_struct) -> Call {
        let r = registers;
        let mut call = Call {
            number: r.orig_rax.cast_signed(),
            args: [r.rdi, r.rsi, r.rdx, r.r10],
            ops: vec![],
            first_undo: false,
        };
        if matches!(call.number, libc::SYS_semop | libc::SYS_semtimedop) {
            call.ops = self.operations(r.rsi, r.rdx as usize);
            call.first_undo = !self.undone.contains(&r.rdi);
        }
        call
    }

    /// The semaphore operations at an address of the process.
    fn operations(&self, address: u64, count: usize) -> Vec<[i16; 3]> {
        let memory = File::open(format!("/proc/{}/mem", self.pid)).expect("it is ours");
        let mut bytes = vec![0; 6 * count];
        memory
            .read_exact_at(&mut bytes, address)
            .expect("the operations are there");
        let word = |pair: &[u8]| i16::from_ne_bytes([pair[0], pair[1]]);
        bytes
            .chunks(6)
            .map(|op| [word(&op[0..2]), word(&op[2..4]), word(&op[4..6])])
            .collect()
    }

    fn registers(&self) -> user_regs_struct {
        ptrace::getregs(self.pid).expect("it is halted")
    }

    fn set(&self, registers: user_regs_struct) {
        ptrace::setregs(self.pid, registers).expect("it is halted");
    }
}
