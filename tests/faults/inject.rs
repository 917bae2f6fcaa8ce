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
pub fn run(stage: Stage, fault: Option<Fault>, work: impl FnOnce()) -> Outcome {
    let mut child = forked_unprepared(|| {
        ptrace::traceme().expect("nobody traces it yet");
        nix::unistd::alarm::set(20); // a watchdog
        work();
    });
    let mut tracer = Tracer {
        pid: Pid::from_raw(child.pid()),
        stage,
        fault,
        calls: vec![],
        undone: BTreeSet::new(),
        watching: false,
        hit: false,
    };
    let end = tracer.follow();
    child.forget();
    Outcome {
        calls: tracer.calls,
        hit: tracer.hit,
        end,
    }
}

struct Tracer {
    pid: Pid,
    stage: Stage,
    fault: Option<Fault>,
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
        let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
        if let WaitStatus::Stopped(..) = stop {
            ptrace::setoptions(self.pid, options).expect("it is halted");
        }
        let mut marks = 0;
        loop {
            let signal = match stop {
                WaitStatus::PtraceSyscall(_) => {
                    self.call();
                    None
                }
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                    marks += 1;
                    self.watching = marks == 2;
                    None
                }
                WaitStatus::Stopped(_, signal) => Some(signal),
                end => return end,
            };
            // From the third mark on, at full speed.
            if marks < 3 {
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
        let deed = self.watching.then(|| self.due(&call)).flatten();
        if self.watching {
            self.calls.push(call.clone());
        }
        if let Some(deed) = deed {
            self.hit = true;
            self.stage.hit(&call, deed);
            if !deed.after {
                registers.orig_rax = u64::MAX; // no call at all
                self.set(registers);
            }
        }
        if matches!(call.number, libc::SYS_exit | libc::SYS_exit_group) {
            return;
        }
        ptrace::syscall(self.pid, None).expect("it is halted");
        let WaitStatus::PtraceSyscall(_) = self.wait() else {
            panic!("{call:?} has no end");
        };
        let mut registers = self.registers();
        if let Some(deed) = deed {
            registers.rax = i64::from(-deed.errno).cast_unsigned();
            self.set(registers);
        } else if call.undoes() && registers.rax == 0 {
            self.undone.insert(call.args[0]);
        }
    }

    /// What is to be done to this call, if it is the one.
    fn due(&self, call: &Call) -> Option<Deed> {
        let fault = self.fault?;
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
