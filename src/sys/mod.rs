//! The operating system, one function per call.
//!
//! This is the only folder that names `libc` or `nix`. The rules in here: a function makes one call
//! and hands back its result or its errno; it never retries, never interprets an errno and never
//! logs. What to do about `EINTR`, about a leftover object or about a limit that was reached is
//! decided above. The exceptions are [`undo`] and [`fork`], which are small experiments and
//! protocols *about* the kernel and say so in their heads.
//!
//! Depends on nothing else in the crate.

pub(crate) mod atfork;
pub(crate) mod errno;
pub(crate) mod fd;
pub(crate) mod file;
pub(crate) mod fork;
mod guarded;
pub(crate) mod ipc;
pub(crate) mod key;
pub(crate) mod membarrier;
pub(crate) mod memory;
pub(crate) mod proc;
pub(crate) mod process_local;
pub(crate) mod sem;
pub(crate) mod shm;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod thread;
pub(crate) mod undo;

use core::ffi::c_int;

pub(crate) use errno::Errno;
pub(crate) use ipc::Ownership;

use errno::Result;

/// The result of a call that answers 0 or −1.
fn ret(returned: c_int) -> Result<()> {
    ret_value(returned).map(drop)
}

/// The result of a call that answers something not negative, or −1.
///
/// It has to come right after the call: errno is read here.
fn ret_value(returned: c_int) -> Result<c_int> {
    match returned {
        -1 => Err(Errno::last()),
        value => Ok(value),
    }
}

/// An errno in nix's type, in ours.
fn from_nix(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw(errno as i32)
}
