//! System V shared memory and semaphores, one safe function per system call.
//!
//! The rings of this crate stand on these calls, and they are useful alone: System V semaphores are
//! the only primitive that the **kernel** puts right when a process dies, by `SEM_UNDO`. When this was
//! written there was no safe way to call them from Rust: `nix` and `rustix` had open requests for it
//! (nix#1718, rustix#797) and no functions.
//!
//! The names are C's. So are the semantics: a function makes one call, never retries and adds no
//! policy, and [`Errno`] is the number the kernel gave. What is safe here is memory: no call can make
//! the kernel write where Rust does not expect it. What is *not* guaranteed is that an object is yours:
//! identifiers and keys are plain numbers, and anybody with the permission may remove a set you sleep
//! on.
//!
//! Objects outlive their processes. Whoever creates one has to remove it, with [`shmctl_rmid`] or
//! [`semctl_rmid`]; `ipcs` lists what was forgotten, `ipcrm` removes it.
//!
//! # Examples
//!
//! A child announces itself, leaves a number in shared memory and is killed. The parent sees both: the
//! number because memory stays, and the death because the kernel takes the announcement back.
//!
//! ```
//! use core::sync::atomic::{AtomicU32, Ordering};
//! use nix::{libc, sys::signal, sys::wait, unistd};
//! use ringpipe::sysv::{self, Key, SemGetFlags, SemOp, ShmAtFlags, ShmGetFlags};
//!
//! const ALIVE: u16 = 0;
//! const READY: u16 = 1;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Marked for removal as soon as it is attached: nothing can be left behind.
//! let segment = sysv::shmget(Key::PRIVATE, 4096, ShmGetFlags::CREATE, 0o600)?;
//! let memory = sysv::shmat(segment, ShmAtFlags::empty());
//! sysv::shmctl_rmid(segment)?;
//! let memory = memory?;
//! // SAFETY: page-aligned, large enough, and `memory` lives longer.
//! let number = unsafe { AtomicU32::from_ptr(memory.as_ptr().cast().as_ptr()) };
//!
//! // A set has no such mark; it goes when this is dropped.
//! struct Set(sysv::SemId);
//! impl Drop for Set {
//!     fn drop(&mut self) {
//!         let _ = sysv::semctl_rmid(self.0);
//!     }
//! }
//! let set = Set(sysv::semget(Key::PRIVATE, 2, SemGetFlags::CREATE, 0o600)?);
//!
//! // SAFETY: the child makes system calls only.
//! let child = match unsafe { unistd::fork()? } {
//!     unistd::ForkResult::Parent { child } => child,
//!     unistd::ForkResult::Child => {
//!         number.store(42, Ordering::Relaxed);
//!         let _ = sysv::semop(set.0, &[SemOp::add(ALIVE, 1).undo(), SemOp::add(READY, 1)]);
//!         unistd::pause(); // SAFETY of the rest: only a signal gets out of here.
//!         unsafe { libc::_exit(0) }
//!     }
//! };
//!
//! sysv::semop(set.0, &[SemOp::take(READY, 1)])?;
//! assert_eq!(sysv::semctl_getval(set.0, ALIVE)?, 1);
//! assert_eq!(number.load(Ordering::Relaxed), 42);
//!
//! signal::kill(child, signal::Signal::SIGKILL)?;
//! sysv::semop(set.0, &[SemOp::wait_zero(ALIVE)])?; // The kernel took it back.
//! wait::waitpid(child, None)?;
//! # Ok(())
//! # }
//! ```

pub use crate::sys::errno::{Errno, Result};
pub use crate::sys::ipc::Ownership;
pub use crate::sys::key::{Key, ftok};
pub use crate::sys::membarrier::{
    MembarrierCommands, membarrier_global_expedited, membarrier_query,
    membarrier_register_global_expedited,
};
pub use crate::sys::sem::{
    SemGetFlags, SemId, SemOp, SemStat, semctl_getall, semctl_getncnt, semctl_getpid,
    semctl_getval, semctl_getzcnt, semctl_rmid, semctl_set, semctl_setall, semctl_setval,
    semctl_stat, semget, semop, semtimedop,
};
pub use crate::sys::shm::{
    Mapping, ShmAtFlags, ShmGetFlags, ShmId, ShmStat, shmat, shmctl_lock, shmctl_rmid, shmctl_set,
    shmctl_stat, shmctl_unlock, shmdt, shmget,
};
