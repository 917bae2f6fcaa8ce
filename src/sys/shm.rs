#![allow(unsafe_code)]
//! Shared memory: shmget, shmat, shmdt, shmctl.

use core::ffi::{c_int, c_void};
use core::fmt;
use core::mem::{self, MaybeUninit};
use core::ptr::{self, NonNull};

use super::errno::{Errno, Result};
use super::ipc::{MODE_BITS, Ownership, get_word};
use super::key::Key;
use super::{ret, ret_value};

/// Mode bit: destroyed at the last detach. From `<linux/shm.h>`; libc has no name for it.
const SHM_DEST: u32 = 0o1000;
/// Mode bit: not swapped out. From `<linux/shm.h>`; libc has no name for it.
const SHM_LOCKED: u32 = 0o2000;

/// The identifier of a shared memory segment.
///
/// It means something in one IPC namespace only, and it outlives neither a reboot nor the segment;
/// a number that was kept in a file has to be checked before it is believed. See sysvipc(7).
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::ShmId;
///
/// assert_eq!(ShmId::from_raw(65538).to_string(), "65538");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct ShmId(i32);

impl ShmId {
    /// Wraps a number; whether there is a segment behind it is seen at the next call.
    #[must_use]
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// The number itself.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for ShmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

bitflags::bitflags! {
    /// Flags of [`shmget`].
    #[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ShmGetFlags: c_int {
        /// `IPC_CREAT`: create the segment if the key has none.
        const CREATE = libc::IPC_CREAT;
        /// `IPC_EXCL`: with [`CREATE`](Self::CREATE), refuse a segment that exists; alone, nothing.
        const EXCLUSIVE = libc::IPC_EXCL;
        /// `SHM_HUGETLB`: of huge pages, which have to be reserved and allowed.
        const HUGETLB = libc::SHM_HUGETLB;
        /// `SHM_NORESERVE`: promise no swap space; running out of memory is then seen at a store.
        const NORESERVE = libc::SHM_NORESERVE;
    }
}

bitflags::bitflags! {
    /// Flags of [`shmat`].
    #[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ShmAtFlags: c_int {
        /// `SHM_RDONLY`: attach for reading; a store kills the process with SIGSEGV.
        const READ_ONLY = libc::SHM_RDONLY;
        /// `SHM_EXEC`: allow the content to be executed.
        const EXECUTE = libc::SHM_EXEC;
    }
}

/// Finds or creates a shared memory segment.
///
/// `int shmget(key_t key, size_t size, int shmflg)`: shmget(2). The low nine bits of `mode` go into
/// the flag word; the umask has **no** effect on them. A new segment is filled with zeros.
///
/// A segment that was found says nothing about who made it or whether its maker has finished; and
/// finding it checks only the permissions that `mode` asks for, the real check is in [`shmat`].
///
/// # Errors
///
/// * `ENOENT`: the key has no segment, and no [`ShmGetFlags::CREATE`].
/// * `EEXIST`: it has one, and both `CREATE` and `EXCLUSIVE`.
/// * `EINVAL`: a new segment of size 0 or above `kernel.shmmax`; an existing one smaller than `size`
///   (to the byte).
/// * `ENOSPC`: `kernel.shmmni` segments or `kernel.shmall` pages exist; nothing to do with disks.
/// * `ENOMEM`: more memory than the kernel is willing to promise, or no huge pages.
/// * `EACCES`: the existing segment does not allow what `mode` asks for.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, ShmGetFlags, shmctl_rmid, shmctl_stat, shmget};
///
/// let id = shmget(Key::PRIVATE, 5000, ShmGetFlags::CREATE, 0o600)?;
/// let size = shmctl_stat(id).map(|stat| stat.size);
/// shmctl_rmid(id)?;
/// assert_eq!(size, Ok(5000));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "IPC_CREAT")]
pub fn shmget(key: Key, size: usize, flags: ShmGetFlags, mode: u32) -> Result<ShmId> {
    let word = get_word(flags.bits(), mode);
    // SAFETY: shmget takes three numbers and touches no memory of this process.
    ret_value(unsafe { libc::shmget(key.raw(), size, word) }).map(ShmId)
}

/// A segment attached to this process; dropping it detaches.
///
/// What lies behind [`as_ptr`](Self::as_ptr) is memory that other processes change at any moment:
/// access it with atomics, and never by a reference to plain data. A forked child inherits the
/// attachment; execve(2) drops it.
pub struct Mapping {
    address: NonNull<u8>,
}

// SAFETY: a Mapping is an address that the whole process shares. Nothing about it belongs to the
// attaching thread: shmdt is allowed from any thread, and reads no thread-local state.
unsafe impl Send for Mapping {}
// SAFETY: through `&Mapping` one gets the address and nothing else; using that address is the
// unsafe act of whoever does it, who has to answer for data races there.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// The first byte, page-aligned.
    ///
    /// Valid for as many bytes as the segment has while this value lives; for reading only, if it
    /// was attached with [`ShmAtFlags::READ_ONLY`].
    #[must_use]
    pub const fn as_ptr(&self) -> NonNull<u8> {
        self.address
    }

    /// Undoes the attachment. To be called once, by something that gives up `self`.
    fn detach(&self) -> Result<()> {
        let address: *const c_void = self.address.as_ptr().cast();
        // SAFETY: `address` came from shmat, and this value alone owns that attachment: it is not
        // Clone, and both callers (Drop, and `shmdt`, which forgets it) give it up. What the pages
        // held is not borrowed: `as_ptr` gives a raw pointer, documented to end with `self`.
        ret(unsafe { libc::shmdt(address) })
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mapping").field(&self.address).finish()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // The one failure is EINVAL, "nothing attached at this address": someone unmapped it behind
        // our back, and then there is nothing left to do. `shmdt` is there for those who want to know.
        let _ = self.detach();
    }
}

/// Attaches a segment at an address that the kernel chooses.
///
/// `void *shmat(int shmid, NULL, int shmflg)`: shmat(2). Choosing the address is left out, because
/// it can replace mappings that other code relies on.
///
/// No promise that the memory is there: pages come at the first touch, and running out of them then
/// is a signal and not an error. On Linux a segment that is marked for removal can still be attached
/// by its identifier while somebody has it attached.
///
/// # Errors
///
/// * `EINVAL`: no such segment.
/// * `EIDRM`: it was removed during the call.
/// * `EACCES`: the permission bits do not allow reading, or writing without `READ_ONLY`.
/// * `ENOMEM`: no room for the mapping.
///
/// # Examples
///
/// ```
/// use core::sync::atomic::{AtomicU32, Ordering};
/// use ringpipe::sysv::{Key, ShmAtFlags, ShmGetFlags, shmat, shmctl_rmid, shmget};
///
/// let id = shmget(Key::PRIVATE, 4096, ShmGetFlags::CREATE, 0o600)?;
/// let mapping = shmat(id, ShmAtFlags::empty());
/// shmctl_rmid(id)?; // Gone with the last detach, whatever happens from here on.
/// let mapping = mapping?;
///
/// // SAFETY: the segment is larger than a word, page-aligned, and lives as long as `mapping`.
/// let word = unsafe { AtomicU32::from_ptr(mapping.as_ptr().cast().as_ptr()) };
/// word.store(7, Ordering::Relaxed);
/// assert_eq!(word.load(Ordering::Relaxed), 7);
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
pub fn shmat(id: ShmId, flags: ShmAtFlags) -> Result<Mapping> {
    // SAFETY: with a null address the kernel picks free address space (and refuses SHM_REMAP), so no
    // existing mapping changes, whatever else is in the flags.
    let address = unsafe { libc::shmat(id.0, ptr::null(), flags.bits()) };
    if address.addr() == usize::MAX {
        return Err(Errno::last());
    }
    // Page 0 is never free address space; if it were, no Rust reference could point there.
    let address = NonNull::new(address.cast()).ok_or(Errno::EFAULT)?;
    Ok(Mapping { address })
}

/// Detaches a segment, and says whether that worked.
///
/// `int shmdt(const void *shmaddr)`: shmdt(2). The same as dropping the [`Mapping`], with the result.
/// Other attachments of the same segment are not affected.
///
/// # Errors
///
/// `EINVAL`: nothing is attached there any more, because something else unmapped it.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, ShmAtFlags, ShmGetFlags, shmat, shmctl_rmid, shmdt, shmget};
///
/// let id = shmget(Key::PRIVATE, 4096, ShmGetFlags::CREATE, 0o600)?;
/// let mapping = shmat(id, ShmAtFlags::READ_ONLY);
/// shmctl_rmid(id)?;
/// shmdt(mapping?)?;
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
// By value on purpose: nobody can use the mapping afterwards.
#[allow(clippy::needless_pass_by_value)]
pub fn shmdt(mapping: Mapping) -> Result<()> {
    let result = mapping.detach();
    mem::forget(mapping);
    result
}

/// What the kernel knows about a segment: the answer of [`shmctl_stat`].
///
/// A snapshot; all of it can be out of date when it is read. Times are seconds since the epoch.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShmStat {
    /// The key; [`Key::PRIVATE`] also once the segment is marked for removal.
    pub key: Key,
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
    /// User id of the creator.
    pub cuid: u32,
    /// Group id of the creator.
    pub cgid: u32,
    /// Permission bits, `0o777` at most.
    pub mode: u32,
    /// Marked for removal: it goes with the last detach.
    pub removed: bool,
    /// Locked in memory by [`shmctl_lock`].
    pub locked: bool,
    /// Size in bytes, as asked for (mappings are rounded up to pages).
    pub size: usize,
    /// Time of the last attach, or 0.
    pub atime: i64,
    /// Time of the last detach, or 0.
    pub dtime: i64,
    /// Time of the creation or the last [`shmctl_set`].
    pub ctime: i64,
    /// Process id of the creator, which may be long dead and its number reused.
    pub cpid: i32,
    /// Process id of the last attach or detach, or 0.
    pub lpid: i32,
    /// Number of mappings. It is **not** a number of processes: one process may have several, and
    /// splitting a mapping counts too.
    pub nattch: u64,
}

impl From<&libc::shmid_ds> for ShmStat {
    fn from(raw: &libc::shmid_ds) -> Self {
        let perm = &raw.shm_perm;
        let mode = u32::from(perm.mode);
        Self {
            key: Key::new(perm.__key),
            uid: perm.uid,
            gid: perm.gid,
            cuid: perm.cuid,
            cgid: perm.cgid,
            mode: mode & MODE_BITS,
            removed: mode & SHM_DEST != 0,
            locked: mode & SHM_LOCKED != 0,
            size: raw.shm_segsz,
            atime: raw.shm_atime,
            dtime: raw.shm_dtime,
            ctime: raw.shm_ctime,
            cpid: raw.shm_cpid,
            lpid: raw.shm_lpid,
            nattch: raw.shm_nattch,
        }
    }
}

/// An all-zero `shmid_ds`.
fn zeroed() -> libc::shmid_ds {
    // SAFETY: shmid_ds is integers and padding only, for which all-zero bytes are a valid value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Asks what the kernel knows about a segment.
///
/// `int shmctl(int shmid, IPC_STAT, struct shmid_ds *buf)`: shmctl(2). The answer is a snapshot.
///
/// # Errors
///
/// `EINVAL`: no such segment. `EIDRM`: removed during the call. `EACCES`: no read permission.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, ShmGetFlags, shmctl_rmid, shmctl_stat, shmget};
///
/// let id = shmget(Key::PRIVATE, 4096, ShmGetFlags::CREATE, 0o640)?;
/// let stat = shmctl_stat(id);
/// shmctl_rmid(id)?;
/// let stat = stat?;
/// assert_eq!((stat.size, stat.mode, stat.nattch), (4096, 0o640, 0));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "IPC_STAT")]
pub fn shmctl_stat(id: ShmId) -> Result<ShmStat> {
    let mut raw = zeroed();
    // SAFETY: IPC_STAT writes one shmid_ds to the address, which is a local one nobody else sees.
    ret(unsafe { libc::shmctl(id.0, libc::IPC_STAT, &raw mut raw) })?;
    Ok(ShmStat::from(&raw))
}

/// Changes the owner and the permission bits of a segment.
///
/// `int shmctl(int shmid, IPC_SET, struct shmid_ds *buf)`: shmctl(2). Mappings that exist keep the
/// access they have.
///
/// # Errors
///
/// `EPERM`: neither owner nor creator nor privileged. `EINVAL`: no such segment, or no such user or
/// group in this user namespace. `EIDRM`: removed during the call.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{
///     Key, Ownership, ShmGetFlags, shmctl_rmid, shmctl_set, shmctl_stat, shmget,
/// };
///
/// let id = shmget(Key::PRIVATE, 4096, ShmGetFlags::CREATE, 0o600)?;
/// let changed = shmctl_stat(id).and_then(|stat| {
///     shmctl_set(id, Ownership { uid: stat.uid, gid: stat.gid, mode: 0o640 })?;
///     shmctl_stat(id)
/// });
/// shmctl_rmid(id)?;
/// assert_eq!(changed?.mode, 0o640);
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "IPC_SET")]
pub fn shmctl_set(id: ShmId, owner: Ownership) -> Result<()> {
    let mut raw = zeroed();
    raw.shm_perm.uid = owner.uid;
    raw.shm_perm.gid = owner.gid;
    // Lossless: nine bits are left.
    raw.shm_perm.mode = (owner.mode & MODE_BITS) as _;
    // SAFETY: IPC_SET reads one shmid_ds from the address (owner and mode count); it is a local one.
    ret(unsafe { libc::shmctl(id.0, libc::IPC_SET, &raw mut raw) })
}

/// Marks a segment for removal: its key is free at once, its memory after the last detach.
///
/// `int shmctl(int shmid, IPC_RMID, NULL)`: shmctl(2). Attached processes go on undisturbed and are
/// not told; a new segment under the old key is a different one. Doing it twice is no error while
/// somebody has it attached.
///
/// # Errors
///
/// `EINVAL`: no such segment. `EPERM`: neither owner nor creator nor privileged. `EIDRM`: removed
/// during the call.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Errno, Key, ShmGetFlags, shmctl_rmid, shmget};
///
/// let id = shmget(Key::PRIVATE, 4096, ShmGetFlags::CREATE, 0o600)?;
/// shmctl_rmid(id)?;
/// assert_eq!(shmctl_rmid(id), Err(Errno::EINVAL));
/// # Ok::<(), Errno>(())
/// ```
#[doc(alias = "IPC_RMID")]
pub fn shmctl_rmid(id: ShmId) -> Result<()> {
    command(id, libc::IPC_RMID)
}

/// Keeps a segment's pages in memory: they are not swapped out any more.
///
/// `int shmctl(int shmid, SHM_LOCK, NULL)`: shmctl(2). It does not bring pages in; those that were
/// never touched are still missing. It lasts until [`shmctl_unlock`], also after the caller's death.
///
/// # Errors
///
/// `EPERM`: not the owner, or no locking allowed at all. `ENOMEM`: above `RLIMIT_MEMLOCK`.
/// `EINVAL`, `EIDRM`: no such segment.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{
///     Key, ShmGetFlags, shmctl_lock, shmctl_rmid, shmctl_stat, shmctl_unlock, shmget,
/// };
///
/// let id = shmget(Key::PRIVATE, 4096, ShmGetFlags::CREATE, 0o600)?;
/// if shmctl_lock(id).is_ok() {
///     assert_eq!(shmctl_stat(id).map(|stat| stat.locked), Ok(true));
///     shmctl_unlock(id)?;
/// }
/// shmctl_rmid(id)?;
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "SHM_LOCK")]
pub fn shmctl_lock(id: ShmId) -> Result<()> {
    command(id, libc::SHM_LOCK)
}

/// Takes back [`shmctl_lock`], where the example is.
///
/// `int shmctl(int shmid, SHM_UNLOCK, NULL)`: shmctl(2). No error if the segment was not locked.
///
/// # Errors
///
/// `EPERM`: not the owner. `EINVAL`, `EIDRM`: no such segment.
#[doc(alias = "SHM_UNLOCK")]
pub fn shmctl_unlock(id: ShmId) -> Result<()> {
    command(id, libc::SHM_UNLOCK)
}

/// A command that takes no buffer.
fn command(id: ShmId, command: c_int) -> Result<()> {
    // SAFETY: without a buffer the kernel can at worst answer EFAULT; no memory of ours is named.
    ret(unsafe { libc::shmctl(id.0, command, ptr::null_mut()) })
}
