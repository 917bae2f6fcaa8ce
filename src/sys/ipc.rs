//! What shared memory and semaphores have in common: who owns an object, and its permission bits.

use core::ffi::c_int;

/// The nine permission bits; everything else in a mode is not the caller's to say.
pub(super) const MODE_BITS: u32 = 0o777;

/// Who owns an object and who may use it; what `IPC_SET` changes.
///
/// Only the low nine bits of `mode` count. The creator of an object keeps his rights over it
/// whatever is set here. Used by [`shmctl_set`](crate::sysv::shmctl_set) and
/// [`semctl_set`](crate::sysv::semctl_set); see sysvipc(7).
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::Ownership;
///
/// let for_the_group = Ownership { uid: 1000, gid: 100, mode: 0o660 };
/// assert_eq!(for_the_group.mode & 0o007, 0);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ownership {
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
    /// Permission bits, `0o777` at most.
    pub mode: u32,
}

/// The flag word of a `*get` call: flags above, permission bits below.
pub(super) fn get_word(flags: c_int, mode: u32) -> c_int {
    // Lossless: nine bits are left of the mode.
    flags | (mode & MODE_BITS) as c_int
}
