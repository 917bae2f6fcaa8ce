#![allow(unsafe_code)]
//! Semaphores: semget, semop, semtimedop, semctl.

use core::ffi::{c_int, c_long};
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;

use super::errno::{Errno, Result};
use super::guarded::Guarded;
use super::ipc::{MODE_BITS, Ownership, get_word};
use super::key::Key;
use super::{ret, ret_value};

/// The identifier of a set of semaphores.
///
/// It means something in one IPC namespace only, and it outlives neither a reboot nor the set; a
/// number that was kept in a file has to be checked before it is believed. See sysvipc(7).
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::SemId;
///
/// assert_eq!(SemId::from_raw(3).to_string(), "3");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct SemId(i32);

impl SemId {
    /// Wraps a number; whether there is a set behind it is seen at the next call.
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

impl fmt::Display for SemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

bitflags::bitflags! {
    /// Flags of [`semget`].
    #[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SemGetFlags: c_int {
        /// `IPC_CREAT`: create the set if the key has none.
        const CREATE = libc::IPC_CREAT;
        /// `IPC_EXCL`: with [`CREATE`](Self::CREATE), refuse a set that exists; alone, nothing.
        const EXCLUSIVE = libc::IPC_EXCL;
    }
}

const UNDO: i16 = libc::SEM_UNDO as i16;
const NOWAIT: i16 = libc::IPC_NOWAIT as i16;

/// One operation on one semaphore of a set: `struct sembuf`, see semop(2).
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::SemOp;
///
/// let announce = SemOp::add(0, 1).undo();
/// let look = SemOp::wait_zero(0).nowait();
/// assert_eq!(format!("{announce:?}"), "SemOp { num: 0, op: 1, undo: true, nowait: false }");
/// # let _ = look;
/// ```
#[derive(Copy, Clone)]
#[repr(transparent)]
pub struct SemOp(libc::sembuf);

impl SemOp {
    /// Adds `n` to semaphore `num`; this never sleeps.
    ///
    /// The sign is C's: a negative `n` takes, and 0 waits for zero.
    #[must_use]
    pub const fn add(num: u16, n: i16) -> Self {
        Self(libc::sembuf {
            sem_num: num,
            sem_op: n,
            sem_flg: 0,
        })
    }

    /// Takes `n` from semaphore `num`, sleeping until it has that much.
    #[must_use]
    pub const fn take(num: u16, n: i16) -> Self {
        Self::add(num, n.saturating_neg())
    }

    /// Sleeps until semaphore `num` is zero.
    #[must_use]
    pub const fn wait_zero(num: u16) -> Self {
        Self::add(num, 0)
    }

    /// With `SEM_UNDO`: the kernel reverses the operation when this **process** ends, however it
    /// ends.
    ///
    /// All threads share one adjustment per semaphore, which has to stay within ±32767. It survives
    /// execve(2) and is not inherited over fork(2). The reversal stops at 0 and at 32767. No effect
    /// on [`SemOp::wait_zero`].
    #[must_use]
    pub const fn undo(mut self) -> Self {
        self.0.sem_flg |= UNDO;
        self
    }

    /// With `IPC_NOWAIT`: `EAGAIN` instead of sleeping.
    #[must_use]
    pub const fn nowait(mut self) -> Self {
        self.0.sem_flg |= NOWAIT;
        self
    }
}

impl fmt::Debug for SemOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemOp")
            .field("num", &self.0.sem_num)
            .field("op", &self.0.sem_op)
            .field("undo", &(self.0.sem_flg & UNDO != 0))
            .field("nowait", &(self.0.sem_flg & NOWAIT != 0))
            .finish()
    }
}

/// Finds or creates a set of semaphores.
///
/// `int semget(key_t key, int nsems, int semflg)`: semget(2). The low nine bits of `mode` go into
/// the flag word; the umask has **no** effect on them. On Linux the values of a new set are 0; POSIX
/// leaves them open.
///
/// Creating a set and giving it values are two steps, between which others can find it.
///
/// # Errors
///
/// * `ENOENT`: the key has no set, and no [`SemGetFlags::CREATE`].
/// * `EEXIST`: it has one, and both `CREATE` and `EXCLUSIVE`.
/// * `EINVAL`: a new set of 0 semaphores or more than SEMMSL; an existing one of fewer than `nsems`.
/// * `ENOSPC`: SEMMNI sets or SEMMNS semaphores exist (`kernel.sem`); nothing to do with disks.
/// * `EACCES`: the existing set does not allow what `mode` asks for.
/// * `ENOMEM`: no kernel memory.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, semctl_rmid, semctl_stat, semget};
///
/// let id = semget(Key::PRIVATE, 4, SemGetFlags::CREATE, 0o600)?;
/// let nsems = semctl_stat(id).map(|stat| stat.nsems);
/// semctl_rmid(id)?;
/// assert_eq!(nsems, Ok(4));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
pub fn semget(key: Key, nsems: i32, flags: SemGetFlags, mode: u32) -> Result<SemId> {
    let word = get_word(flags.bits(), mode);
    // SAFETY: semget takes three numbers and touches no memory of this process.
    ret_value(unsafe { libc::semget(key.raw(), nsems, word) }).map(SemId)
}

/// Does all operations or none, sleeping until all of them can be done.
///
/// `int semop(int semid, struct sembuf *sops, size_t nsops)`: semop(2). The operations of one call
/// are one step for everybody else, done in the order given. There is no fairness: whoever can go on
/// first does.
///
/// # Errors
///
/// * `EAGAIN`: it would sleep at an operation with [`SemOp::nowait`].
/// * `EINTR`: a signal handler ran, or the process was stopped and continued; never restarted, not
///   even with `SA_RESTART`.
/// * `EIDRM`: the set was removed while the call slept. `EINVAL`: no such set, or no operations.
/// * `ERANGE`: a value would pass 32767, or an adjustment of [`SemOp::undo`] ±32767. Never waits.
/// * `E2BIG`: more than SEMOPM operations. `EFBIG`: no semaphore of this number in the set.
/// * `EACCES`: no permission to alter the set, or to read it for waiting for zero.
/// * `ENOMEM`, `ENOSPC`: no room for the adjustments; only the first use of `undo` on a set.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, SemOp, semctl_getval, semctl_rmid, semget, semop};
///
/// let id = semget(Key::PRIVATE, 2, SemGetFlags::CREATE, 0o600)?;
/// // Will add one when this process ends, and leaves the value alone now.
/// let armed = semop(id, &[SemOp::add(0, 1), SemOp::take(0, 1).undo()]);
/// let value = semctl_getval(id, 0);
/// semctl_rmid(id)?;
/// assert_eq!((armed, value), (Ok(()), Ok(0)));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
pub fn semop(id: SemId, ops: &[SemOp]) -> Result<()> {
    let first = ops.as_ptr().cast::<libc::sembuf>().cast_mut();
    // SAFETY: SemOp is transparent over sembuf, so `first` points to `ops.len()` of them, borrowed
    // during the call. Despite the parameter's type the kernel only reads them.
    ret(unsafe { libc::semop(id.0, first, ops.len()) })
}

/// [`semop`] that sleeps for a limited time.
///
/// `int semtimedop(int semid, struct sembuf *sops, size_t nsops, const struct timespec *timeout)`:
/// semtimedop(2). The time is relative and counts from the call; `None` is no limit. It may sleep
/// longer than asked, never shorter. After `EINTR` the rest of the time is for the caller to work out.
///
/// # Errors
///
/// Those of [`semop`]; `EAGAIN` also when the time is over.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use ringpipe::sysv::{Errno, Key, SemGetFlags, SemOp, semctl_rmid, semget, semtimedop};
///
/// let id = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600)?;
/// let waited = semtimedop(id, &[SemOp::take(0, 1)], Some(Duration::from_millis(1)));
/// semctl_rmid(id)?;
/// assert_eq!(waited, Err(Errno::EAGAIN));
/// # Ok::<(), Errno>(())
/// ```
pub fn semtimedop(id: SemId, ops: &[SemOp], timeout: Option<Duration>) -> Result<()> {
    let limit = timeout.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // By number, because libc has no declaration of the function on Linux.
    // SAFETY: SemOp is transparent over sembuf, so the pointer leads to `ops.len()` of them; `limit`
    // is null or points to a local timespec, whose layout is the kernel's on 64-bit systems. The
    // kernel reads both, during the call, and writes neither.
    let returned =
        unsafe { libc::syscall(libc::SYS_semtimedop, id.0, ops.as_ptr(), ops.len(), limit) };
    match returned {
        -1 => Err(Errno::last()),
        _ => Ok(()),
    }
}

#[cfg(not(target_pointer_width = "64"))]
compile_error!("semtimedop is called by number with a 64-bit timespec");

/// The kernel's form; what does not fit becomes the longest time there is, some 292 years.
fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: c_long::from(time.subsec_nanos().cast_signed()),
    }
}

/// Reads the value of one semaphore.
///
/// `int semctl(int semid, int semnum, GETVAL)`: semctl(2). The value can be different as soon as it
/// is there.
///
/// # Errors
///
/// `EINVAL`: no such set, or no semaphore `num` in it. `EIDRM`: removed during the call. `EACCES`: no
/// read permission. The same for the three other questions about one semaphore.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, SemOp, semctl_getval, semctl_rmid, semget, semop};
///
/// let id = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600)?;
/// let value = semop(id, &[SemOp::add(0, 3)]).and_then(|()| semctl_getval(id, 0));
/// semctl_rmid(id)?;
/// assert_eq!(value, Ok(3));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "GETVAL")]
pub fn semctl_getval(id: SemId, num: u16) -> Result<i32> {
    // SAFETY: GETVAL takes no fourth argument and touches no memory of this process.
    ret_value(unsafe { libc::semctl(id.0, c_int::from(num), libc::GETVAL) })
}

/// Counts the sleepers that wait for one semaphore to grow.
///
/// `int semctl(int semid, int semnum, GETNCNT)`: semctl(2). Out of date at once. A call with several
/// operations counts at the first one that holds it up; a stopped process does not count.
///
/// # Errors
///
/// Those of [`semctl_getval`].
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, semctl_getncnt, semctl_rmid, semget};
///
/// let id = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600)?;
/// let sleepers = semctl_getncnt(id, 0);
/// semctl_rmid(id)?;
/// assert_eq!(sleepers, Ok(0));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "GETNCNT")]
pub fn semctl_getncnt(id: SemId, num: u16) -> Result<i32> {
    // SAFETY: GETNCNT takes no fourth argument and touches no memory of this process.
    ret_value(unsafe { libc::semctl(id.0, c_int::from(num), libc::GETNCNT) })
}

/// Counts the sleepers that wait for one semaphore to be zero.
///
/// `int semctl(int semid, int semnum, GETZCNT)`: semctl(2). As little binding as [`semctl_getncnt`].
///
/// # Errors
///
/// Those of [`semctl_getval`].
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, semctl_getzcnt, semctl_rmid, semget};
///
/// let id = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600)?;
/// let sleepers = semctl_getzcnt(id, 0);
/// semctl_rmid(id)?;
/// assert_eq!(sleepers, Ok(0));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "GETZCNT")]
pub fn semctl_getzcnt(id: SemId, num: u16) -> Result<i32> {
    // SAFETY: GETZCNT takes no fourth argument and touches no memory of this process.
    ret_value(unsafe { libc::semctl(id.0, c_int::from(num), libc::GETZCNT) })
}

/// Names the process whose operation on one semaphore was the last, or 0.
///
/// `int semctl(int semid, int semnum, GETPID)`: semctl(2). Waiting for zero is an operation too. After
/// an undo it is the process that died, unless the undo let a sleeper go on: then it is the sleeper.
/// It may be dead and its number reused, and it is 0 for a process outside the pid namespace.
///
/// # Errors
///
/// Those of [`semctl_getval`].
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, SemOp, semctl_getpid, semctl_rmid, semget, semop};
///
/// let id = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600)?;
/// let pid = semop(id, &[SemOp::add(0, 1)]).and_then(|()| semctl_getpid(id, 0));
/// semctl_rmid(id)?;
/// assert_eq!(pid?.cast_unsigned(), std::process::id());
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "GETPID")]
pub fn semctl_getpid(id: SemId, num: u16) -> Result<i32> {
    // SAFETY: GETPID takes no fourth argument and touches no memory of this process.
    ret_value(unsafe { libc::semctl(id.0, c_int::from(num), libc::GETPID) })
}

/// Reads the values of all semaphores of a set, as they are at one moment.
///
/// `int semctl(int semid, 0, GETALL, unsigned short *array)`: semctl(2), after an `IPC_STAT` that
/// tells how many there are.
///
/// # Errors
///
/// `EINVAL`: no such set. `EIDRM`: removed during the call. `EACCES`: no read permission. `ENOMEM`: no
/// room for the values. `EFAULT`: the set was replaced by a larger one between the two calls.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, SemOp, semctl_getall, semctl_rmid, semget, semop};
///
/// let id = semget(Key::PRIVATE, 3, SemGetFlags::CREATE, 0o600)?;
/// let values = semop(id, &[SemOp::add(1, 5)]).and_then(|()| semctl_getall(id));
/// semctl_rmid(id)?;
/// assert_eq!(values, Ok(vec![0, 5, 0]));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "GETALL")]
pub fn semctl_getall(id: SemId) -> Result<Vec<u16>> {
    let mut values = Guarded::new(semctl_stat(id)?.nsems)?;
    read_all(id, &mut values)?;
    Ok(values.as_mut_slice().to_vec())
}

/// GETALL into a buffer of any length.
fn read_all(id: SemId, values: &mut Guarded) -> Result<()> {
    // SAFETY: GETALL writes one u16 per semaphore, upwards from the pointer. The first `len` fall
    // into memory that `values` owns and that is borrowed exclusively; the next one would fall into
    // a page without access, where the kernel stops with EFAULT. So nothing else is ever written,
    // however many semaphores the set turns out to have.
    ret(unsafe { libc::semctl(id.0, 0, libc::GETALL, values.as_mut_ptr()) })
}

/// What the kernel knows about a set: the answer of [`semctl_stat`].
///
/// A snapshot; all of it but the size can be out of date when it is read. Times are seconds since
/// the epoch.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemStat {
    /// The key, or [`Key::PRIVATE`].
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
    /// Time of the last [`semop`], or 0 if there was none; setting a value does not count.
    pub otime: i64,
    /// Time of the creation, or of the last change by [`semctl_set`], [`semctl_setval`] or
    /// [`semctl_setall`].
    pub ctime: i64,
    /// Number of semaphores, which never changes.
    pub nsems: usize,
}

impl From<&libc::semid_ds> for SemStat {
    fn from(raw: &libc::semid_ds) -> Self {
        let perm = &raw.sem_perm;
        Self {
            key: Key::new(perm.__key),
            uid: perm.uid,
            gid: perm.gid,
            cuid: perm.cuid,
            cgid: perm.cgid,
            mode: u32::from(perm.mode) & MODE_BITS,
            otime: raw.sem_otime,
            ctime: raw.sem_ctime,
            // Lossless: the compile_error above leaves 64-bit systems only.
            nsems: raw.sem_nsems as usize,
        }
    }
}

/// An all-zero `semid_ds`.
fn zeroed() -> libc::semid_ds {
    // SAFETY: semid_ds is integers and padding only, for which all-zero bytes are a valid value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Asks what the kernel knows about a set.
///
/// `int semctl(int semid, 0, IPC_STAT, struct semid_ds *buf)`: semctl(2). The answer is a snapshot.
///
/// # Errors
///
/// `EINVAL`: no such set. `EIDRM`: removed during the call. `EACCES`: no read permission.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, semctl_rmid, semctl_stat, semget};
///
/// let id = semget(Key::PRIVATE, 2, SemGetFlags::CREATE, 0o640)?;
/// let stat = semctl_stat(id);
/// semctl_rmid(id)?;
/// let stat = stat?;
/// assert_eq!((stat.nsems, stat.mode, stat.otime), (2, 0o640, 0));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "IPC_STAT")]
pub fn semctl_stat(id: SemId) -> Result<SemStat> {
    let mut raw = zeroed();
    // SAFETY: IPC_STAT writes one semid_ds to the address, which is a local one nobody else sees.
    ret(unsafe { libc::semctl(id.0, 0, libc::IPC_STAT, &raw mut raw) })?;
    Ok(SemStat::from(&raw))
}

/// Changes the owner and the permission bits of a set.
///
/// `int semctl(int semid, 0, IPC_SET, struct semid_ds *buf)`: semctl(2). Sleepers are not disturbed,
/// and undo at the end of a process asks for no permission.
///
/// # Errors
///
/// `EPERM`: neither owner nor creator nor privileged. `EINVAL`: no such set, or no such user or group
/// in this user namespace. `EIDRM`: removed during the call.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{
///     Key, Ownership, SemGetFlags, semctl_rmid, semctl_set, semctl_stat, semget,
/// };
///
/// let id = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600)?;
/// let changed = semctl_stat(id).and_then(|stat| {
///     semctl_set(id, Ownership { uid: stat.uid, gid: stat.gid, mode: 0o640 })?;
///     semctl_stat(id)
/// });
/// semctl_rmid(id)?;
/// assert_eq!(changed?.mode, 0o640);
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "IPC_SET")]
pub fn semctl_set(id: SemId, owner: Ownership) -> Result<()> {
    let mut raw = zeroed();
    raw.sem_perm.uid = owner.uid;
    raw.sem_perm.gid = owner.gid;
    // Lossless: nine bits are left.
    raw.sem_perm.mode = (owner.mode & MODE_BITS) as _;
    // SAFETY: IPC_SET reads one semid_ds from the address (owner and mode count); it is a local one.
    ret(unsafe { libc::semctl(id.0, 0, libc::IPC_SET, &raw mut raw) })
}

/// Removes a set at once; all sleepers wake with `EIDRM`, and everybody's undo is dropped.
///
/// `int semctl(int semid, 0, IPC_RMID)`: semctl(2). Unlike shared memory, a set does not wait for its
/// last user; and nobody but this call (and a reboot) ever removes one.
///
/// # Errors
///
/// `EINVAL`: no such set. `EPERM`: neither owner nor creator nor privileged. `EIDRM`: removed during
/// the call.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Errno, Key, SemGetFlags, semctl_rmid, semget};
///
/// let id = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600)?;
/// semctl_rmid(id)?;
/// assert_eq!(semctl_rmid(id), Err(Errno::EINVAL));
/// # Ok::<(), Errno>(())
/// ```
#[doc(alias = "IPC_RMID")]
pub fn semctl_rmid(id: SemId) -> Result<()> {
    // SAFETY: IPC_RMID takes no fourth argument and touches no memory of this process.
    ret(unsafe { libc::semctl(id.0, 0, libc::IPC_RMID) })
}

/// Sets the value of one semaphore, and **erases the undo of every process** for it.
///
/// `int semctl(int semid, int semnum, SETVAL, int val)`: semctl(2). Only for a set that nobody uses
/// yet: a process that counted on [`SemOp::undo`] loses it, without being told.
///
/// # Errors
///
/// `ERANGE`: `val` is not in 0…32767. `EINVAL`: no such set, or no semaphore `num` in it. `EIDRM`:
/// removed during the call. `EACCES`: no permission to alter.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{Key, SemGetFlags, semctl_getval, semctl_rmid, semctl_setval, semget};
///
/// let id = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600)?;
/// let value = semctl_setval(id, 0, 9).and_then(|()| semctl_getval(id, 0));
/// semctl_rmid(id)?;
/// assert_eq!(value, Ok(9));
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
#[doc(alias = "SETVAL")]
pub fn semctl_setval(id: SemId, num: u16, val: i32) -> Result<()> {
    let val = Semun { val };
    // SAFETY: SETVAL reads the fourth argument as the number in the union, and no memory.
    ret(unsafe { libc::semctl(id.0, c_int::from(num), libc::SETVAL, val) })
}

/// The fourth argument of semctl(2), which every program has to declare for itself. Here it is for
/// the number only, whose place in the argument depends on the byte order; pointers fill it.
#[repr(C)]
union Semun {
    val: c_int,
    _pointer: *mut u16,
}

/// Sets the values of all semaphores of a set, and **erases the undo of every process** for it.
///
/// `int semctl(int semid, 0, SETALL, unsigned short *array)`: semctl(2), after an `IPC_STAT` that
/// tells how many there are. Only for a set that nobody uses yet, see [`semctl_setval`].
///
/// # Errors
///
/// `EINVAL`: no such set, or `values` is not one per semaphore. `ERANGE`: a value above 32767.
/// `EIDRM`: removed during the call. `EACCES`: no permission to alter, or to read. `ENOMEM`: no room
/// for the values. `EFAULT`: the set was replaced by a larger one between the two calls.
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::{
///     Errno, Key, SemGetFlags, semctl_getall, semctl_rmid, semctl_setall, semget,
/// };
///
/// let id = semget(Key::PRIVATE, 2, SemGetFlags::CREATE, 0o600)?;
/// let values = semctl_setall(id, &[1, 2]).and_then(|()| semctl_getall(id));
/// let too_few = semctl_setall(id, &[1]);
/// semctl_rmid(id)?;
/// assert_eq!(values, Ok(vec![1, 2]));
/// assert_eq!(too_few, Err(Errno::EINVAL));
/// # Ok::<(), Errno>(())
/// ```
#[doc(alias = "SETALL")]
pub fn semctl_setall(id: SemId, values: &[u16]) -> Result<()> {
    if semctl_stat(id)?.nsems != values.len() {
        return Err(Errno::EINVAL);
    }
    let mut copy = Guarded::new(values.len())?;
    copy.as_mut_slice().copy_from_slice(values);
    write_all(id, &mut copy)
}

/// SETALL from a buffer of any length.
fn write_all(id: SemId, values: &mut Guarded) -> Result<()> {
    // SAFETY: SETALL reads one u16 per semaphore, upwards from the pointer. The first `len` are
    // memory that `values` owns; the next one would be in a page without access, where the kernel
    // stops with EFAULT before it has set anything. So nothing else is ever read.
    ret(unsafe { libc::semctl(id.0, 0, libc::SETALL, values.as_mut_ptr()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set of four that goes away with the value.
    struct Four(SemId);

    impl Four {
        fn new() -> Self {
            let set = Self(semget(Key::PRIVATE, 4, SemGetFlags::CREATE, 0o600).unwrap());
            semctl_setall(set.0, &[1, 2, 3, 4]).unwrap();
            set
        }
    }

    impl Drop for Four {
        fn drop(&mut self) {
            semctl_rmid(self.0).unwrap();
        }
    }

    #[test]
    fn a_set_larger_than_the_buffer_is_efault_when_read() {
        let set = Four::new();
        let mut short = Guarded::new(2).unwrap();
        assert_eq!(read_all(set.0, &mut short), Err(Errno::EFAULT));
    }

    #[test]
    fn a_set_larger_than_the_buffer_is_efault_when_written_and_keeps_its_values() {
        let set = Four::new();
        let mut short = Guarded::new(2).unwrap();
        assert_eq!(write_all(set.0, &mut short), Err(Errno::EFAULT));
        assert_eq!(semctl_getall(set.0), Ok(vec![1, 2, 3, 4]));
    }

    #[test]
    fn times_beyond_the_kernels_range_become_the_longest_there_is() {
        assert_eq!(timespec(Duration::MAX).tv_sec, i64::MAX);
        let short = timespec(Duration::new(3, 999_999_999));
        assert_eq!((short.tv_sec, short.tv_nsec), (3, 999_999_999));
    }
}
