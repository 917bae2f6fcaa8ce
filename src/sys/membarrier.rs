#![allow(unsafe_code)]
//! membarrier(2): a memory barrier on the processors that run other registered processes.

use core::ffi::{c_int, c_long};

use super::errno::{Errno, Result};

bitflags::bitflags! {
    /// What a kernel's membarrier(2) can do: the answer of [`membarrier_query`].
    ///
    /// A kernel may answer with more bits than have a name here.
    #[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MembarrierCommands: c_int {
        /// `MEMBARRIER_CMD_GLOBAL`: a barrier everywhere; takes milliseconds.
        const GLOBAL = 1;
        /// `MEMBARRIER_CMD_GLOBAL_EXPEDITED`: see [`membarrier_global_expedited`].
        const GLOBAL_EXPEDITED = 1 << 1;
        /// `MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED`: see
        /// [`membarrier_register_global_expedited`].
        const REGISTER_GLOBAL_EXPEDITED = 1 << 2;
        /// `MEMBARRIER_CMD_PRIVATE_EXPEDITED`: threads of the same process only.
        const PRIVATE_EXPEDITED = 1 << 3;
        /// `MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED`: announces the use of the former.
        const REGISTER_PRIVATE_EXPEDITED = 1 << 4;
    }
}

const QUERY: c_int = 0;

/// Asks which commands the kernel has.
///
/// `int membarrier(MEMBARRIER_CMD_QUERY, 0, 0)`: membarrier(2). A command that is there can still be
/// refused.
///
/// # Errors
///
/// `ENOSYS`: no membarrier in this kernel. `EPERM` where a sandbox forbids it.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{MembarrierCommands, membarrier_query};
///
/// let usable = membarrier_query()
///     .is_ok_and(|commands| commands.contains(MembarrierCommands::GLOBAL_EXPEDITED));
/// println!("global expedited barriers: {usable}");
/// ```
pub fn membarrier_query() -> Result<MembarrierCommands> {
    // Lossless: the answer is a C int in a register.
    membarrier(QUERY).map(|bits| MembarrierCommands::from_bits_retain(bits as c_int))
}

/// Lets this process receive the barriers of [`membarrier_global_expedited`], where the example is.
///
/// `int membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0)`: membarrier(2). A barrier does not
/// reach a process that did not register. Doing it again is no error. execve(2) ends it: register in
/// every process that needs it.
///
/// # Errors
///
/// `ENOSYS`: no membarrier in this kernel. `EINVAL`: this kernel's does not have the command.
pub fn membarrier_register_global_expedited() -> Result<()> {
    membarrier(MembarrierCommands::REGISTER_GLOBAL_EXPEDITED.bits()).map(drop)
}

/// Issues a full memory barrier on every processor that runs a thread of a registered process.
///
/// `int membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0)`: membarrier(2). When it returns, every such
/// thread has passed a point at which all its accesses were in program order. The caller itself need
/// not be registered; processes that are not are not waited for.
///
/// # Errors
///
/// `ENOSYS`: no membarrier in this kernel. `EINVAL`: this kernel's does not have the command.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{
///     MembarrierCommands, membarrier_global_expedited, membarrier_query,
///     membarrier_register_global_expedited,
/// };
///
/// let needed =
///     MembarrierCommands::GLOBAL_EXPEDITED | MembarrierCommands::REGISTER_GLOBAL_EXPEDITED;
/// if membarrier_query().is_ok_and(|commands| commands.contains(needed)) {
///     membarrier_register_global_expedited()?;
///     membarrier_global_expedited()?;
/// }
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
pub fn membarrier_global_expedited() -> Result<()> {
    membarrier(MembarrierCommands::GLOBAL_EXPEDITED.bits()).map(drop)
}

/// The call by number: the C library has no function for it.
fn membarrier(command: c_int) -> Result<c_long> {
    let none: c_int = 0;
    // SAFETY: membarrier takes three numbers and touches no memory; a barrier more is never wrong.
    match unsafe { libc::syscall(libc::SYS_membarrier, command, none, none) } {
        -1 => Err(Errno::last()),
        answer => Ok(answer),
    }
}
