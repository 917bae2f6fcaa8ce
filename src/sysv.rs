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
//! # Sets that others use
//!
//! [`semop`], [`semctl_setval`] and [`semctl_setall`] change any set that this process may alter, a ring's too, and
//! they are safe all the same. No memory of this process follows from a semaphore alone:
//!
//! - Within one process, what a handle holds is noted in the process as well. Whatever a ring's set says afterwards, no
//!   second handle of the process comes to that role or number, and the process does not clear up after its own handle.
//! - Other processes go by the set. They may take the holder for dead, and then two processes write to the same slots.
//!   With shared roles they may also free the holder's slots, for any handle to claim. But that is no more than any process
//!   with the permission can bring about, by these calls or by a store into the ring, and no type in this process can
//!   prevent it: what is in place in a ring is only as exclusive as those who may write to it let it be.
//!
//! A ring whose set was changed may hang, lose items or show an end that is none. Leave its set alone.
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
