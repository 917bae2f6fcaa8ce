//! Which errors a call can give, by its page of the manual.

use libc::{
    E2BIG, EACCES, EAGAIN, EBUSY, ECHILD, EDQUOT, EFAULT, EHWPOISON, EIDRM, EINTR, EINVAL, EIO,
    EISDIR, ELOOP, EMFILE, ENFILE, ENOLCK, ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, EPIPE,
    ERANGE, EROFS,
};

/// A call as it is about to be made.
#[derive(Clone, Debug)]
pub struct Call {
    pub number: i64,
    pub args: [u64; 4],
    /// The operations on semaphores: number, operation, flags.
    pub ops: Vec<[i16; 3]>,
    /// Whether the process has no adjustments for the set yet.
    pub first_undo: bool,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed {
    pub errno: i32,
    /// It is made, and an error comes back all the same: where the kernel does so (close), or as if another had been faster.
    pub after: bool,
    /// All others of that number fail as well, from then on until an error was told of or the attempt is over.
    pub lasting: bool,
}

impl Deed {
    pub fn instead(errno: i32) -> Self {
        Self {
            errno,
            after: false,
            lasting: false,
        }
    }

    fn after(errno: i32) -> Self {
        Self {
            after: true,
            ..Self::instead(errno)
        }
    }
}

const POPULATE: u64 = libc::MADV_POPULATE_WRITE as u64;
const UNDO: i16 = libc::SEM_UNDO as i16;
const NOWAIT: i16 = libc::IPC_NOWAIT as i16;

impl Call {
    pub fn undoes(&self) -> bool {
        self.ops.iter().any(|[_, _, flags]| flags & UNDO != 0)
    }

    /// Whether it is a wake-up: one more for whoever sleeps.
    pub fn wakes(&self) -> bool {
        matches!(self.ops[..], [[_, 1, 0]])
    }

    /// Whether it may sleep: an operation that takes what no earlier one has added, or waits for zero.
    pub fn may_sleep(&self) -> bool {
        let mut added = vec![];
        self.ops.iter().any(|[number, op, flags]| {
            if *op > 0 {
                added.push(*number);
            }
            *op < 0 && flags & NOWAIT == 0 && !added.contains(number)
        })
    }

    fn may_give_up(&self) -> bool {
        let timed = self.number == libc::SYS_semtimedop && self.args[3] != 0;
        timed || self.ops.iter().any(|[_, _, flags]| flags & NOWAIT != 0)
    }

    /// Whether it opens a file that has no name.
    pub fn makes_unnamed(&self) -> bool {
        self.number == libc::SYS_openat && self.args[2] as i32 & libc::O_TMPFILE == libc::O_TMPFILE
    }

    pub fn links(&self) -> bool {
        matches!(self.number, libc::SYS_linkat | libc::SYS_link)
    }

    pub fn renames(&self) -> bool {
        self.number == libc::SYS_renameat2
    }

    pub fn populates(&self) -> bool {
        self.number == libc::SYS_madvise && self.args[2] == POPULATE
    }

    fn flag(&self, arg: usize, bits: i32) -> bool {
        self.args[arg] & bits as u64 != 0
    }

    /// All ways to fail that are tried.
    pub fn deeds(&self) -> Vec<Deed> {
        // Linux closes a file whatever close(2) returns.
        let how = if self.number == libc::SYS_close {
            Deed::after
        } else {
            Deed::instead
        };
        let errnos = self.errnos();
        let mut deeds: Vec<_> = errnos.iter().copied().map(how).collect();
        if self.removes() {
            // Somebody else was faster.
            deeds.extend([EIDRM, EINVAL].map(Deed::after));
        }
        let lasting = errnos.into_iter().filter(|errno| self.may_last(*errno));
        deeds.extend(lasting.map(|errno| Deed {
            lasting: true,
            ..Deed::instead(errno)
        }));
        deeds
    }

    /// Whether an error is of a state that lasts. What objects of the kernel forbid would forbid their removal too.
    fn may_last(&self, errno: i32) -> bool {
        let of_objects = [
            libc::SYS_shmctl,
            libc::SYS_semctl,
            libc::SYS_semop,
            libc::SYS_semtimedop,
            libc::SYS_close,
            libc::SYS_wait4,
        ];
        !of_objects.contains(&self.number) && ![EINTR, EAGAIN, EIDRM, EINVAL].contains(&errno)
    }

    fn removes(&self) -> bool {
        match self.number {
            libc::SYS_shmctl => self.args[1] as i32 & 0xff == libc::IPC_RMID,
            libc::SYS_semctl => self.args[2] as i32 & 0xff == libc::IPC_RMID,
            _ => false,
        }
    }

    fn errnos(&self) -> Vec<i32> {
        match self.number {
            libc::SYS_shmget if self.flag(2, libc::IPC_CREAT) => {
                let mut all = vec![ENOSPC, ENOMEM, EINVAL, ENFILE];
                if self.flag(2, libc::SHM_HUGETLB) {
                    all.push(EPERM);
                }
                all
            }
            libc::SYS_shmget => vec![EACCES],
            libc::SYS_shmat => vec![EACCES, ENOMEM, EIDRM, EINVAL],
            libc::SYS_shmctl => self.control(self.args[1] as i32 & 0xff),
            libc::SYS_semget => vec![ENOSPC, ENOMEM, EINVAL],
            libc::SYS_semctl => self.control(self.args[2] as i32 & 0xff),
            libc::SYS_semop | libc::SYS_semtimedop => self.semaphores(),
            libc::SYS_mmap | libc::SYS_mprotect | libc::SYS_munmap => vec![ENOMEM],
            libc::SYS_madvise if self.populates() => {
                vec![ENOMEM, EFAULT, EHWPOISON, EINVAL]
            }
            libc::SYS_madvise => vec![ENOMEM, EINVAL],
            libc::SYS_membarrier => vec![ENOSYS, EPERM, EINVAL],
            libc::SYS_getrandom => vec![EINTR, ENOSYS],
            libc::SYS_wait4 => vec![EINTR, ECHILD],
            libc::SYS_clone | libc::SYS_clone3 | libc::SYS_fork | libc::SYS_vfork => {
                vec![EAGAIN, ENOMEM]
            }
            libc::SYS_clock_nanosleep => vec![EINTR],
            libc::SYS_poll => vec![EINTR, ENOMEM],
            _ => self.of_file(),
        }
    }

    fn control(&self, command: i32) -> Vec<i32> {
        match command {
            libc::IPC_RMID => vec![EPERM],
            libc::IPC_SET => vec![EPERM, EIDRM],
            libc::SHM_LOCK => vec![ENOMEM, EPERM],
            libc::GETALL => vec![EACCES, ENOMEM, EIDRM, EINVAL],
            _ => vec![EACCES, EIDRM, EINVAL],
        }
    }

    fn semaphores(&self) -> Vec<i32> {
        let mut all = vec![EACCES];
        if self.ops.len() > 1 {
            all.push(E2BIG);
            if self.ops.iter().any(|[_, op, _]| *op > 0) {
                all.push(ERANGE);
            }
        }
        if self.may_sleep() {
            all.push(EINTR);
        }
        if self.may_give_up() {
            all.push(EAGAIN);
        }
        if self.undoes() && self.first_undo {
            all.extend([ENOMEM, ENOSPC]);
        }
        if !self.wakes() {
            // A set that is gone has no sleepers; one that only seems to be gone would keep them.
            all.extend([EIDRM, EINVAL]);
        }
        all
    }

    fn of_file(&self) -> Vec<i32> {
        match self.number {
            libc::SYS_open | libc::SYS_openat => self.opening(),
            libc::SYS_read | libc::SYS_readv => vec![EIO, EINTR],
            libc::SYS_write | libc::SYS_writev => vec![EIO, ENOSPC, EDQUOT, EINTR, EPIPE],
            libc::SYS_preadv2 => vec![EIO, EINTR, EAGAIN, EOPNOTSUPP, ENOSYS],
            libc::SYS_pwritev2 => vec![EIO, ENOSPC, EINTR, EPIPE, EAGAIN, EOPNOTSUPP, ENOSYS],
            libc::SYS_close => vec![EINTR],
            libc::SYS_fsync => vec![EIO, ENOSPC, EDQUOT, EINTR],
            libc::SYS_fchown | libc::SYS_fchmod => vec![EPERM, EROFS, EIO],
            libc::SYS_renameat2 | libc::SYS_linkat | libc::SYS_link => {
                vec![EACCES, ENOSPC, EDQUOT, EROFS, EIO]
            }
            libc::SYS_unlinkat | libc::SYS_unlink => vec![EACCES, EPERM, EBUSY, EROFS, EIO],
            libc::SYS_flock => vec![ENOLCK, EAGAIN],
            libc::SYS_pipe2 => vec![EMFILE, ENFILE],
            libc::SYS_statx
            | libc::SYS_newfstatat
            | libc::SYS_stat
            | libc::SYS_lstat
            | libc::SYS_fstat => {
                vec![EACCES, ENOMEM, EIO]
            }
            libc::SYS_readlink | libc::SYS_readlinkat => vec![EACCES, EIO, ELOOP, ENOMEM],
            libc::SYS_getdents64 => vec![EIO],
            _ => vec![],
        }
    }

    fn opening(&self) -> Vec<i32> {
        let mut all = vec![EACCES, EMFILE, ENFILE, ENOMEM, EIO];
        let flags = if self.number == libc::SYS_open { 1 } else { 2 };
        if !self.flag(flags, libc::O_DIRECTORY | libc::O_PATH) {
            all.push(EINTR);
        }
        if self.flag(flags, libc::O_CREAT | libc::O_WRONLY | libc::O_RDWR) {
            all.extend([EROFS, ENOSPC, EDQUOT]);
        }
        if self.makes_unnamed() {
            all.extend([EOPNOTSUPP, EISDIR]);
        }
        all
    }

    pub fn name(&self) -> String {
        let known = NAMES.iter().find(|(number, _)| *number == self.number);
        known.map_or_else(
            || format!("call {}", self.number),
            |(_, name)| (*name).into(),
        )
    }
}

const NAMES: [(i64, &str); 48] = [
    (libc::SYS_shmget, "shmget"),
    (libc::SYS_shmat, "shmat"),
    (libc::SYS_shmdt, "shmdt"),
    (libc::SYS_shmctl, "shmctl"),
    (libc::SYS_semget, "semget"),
    (libc::SYS_semctl, "semctl"),
    (libc::SYS_semop, "semop"),
    (libc::SYS_semtimedop, "semtimedop"),
    (libc::SYS_mmap, "mmap"),
    (libc::SYS_mprotect, "mprotect"),
    (libc::SYS_munmap, "munmap"),
    (libc::SYS_madvise, "madvise"),
    (libc::SYS_membarrier, "membarrier"),
    (libc::SYS_getrandom, "getrandom"),
    (libc::SYS_wait4, "wait4"),
    (libc::SYS_clone, "clone"),
    (libc::SYS_clone3, "clone3"),
    (libc::SYS_fork, "fork"),
    (libc::SYS_vfork, "vfork"),
    (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    (libc::SYS_poll, "poll"),
    (libc::SYS_open, "open"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_read, "read"),
    (libc::SYS_readv, "readv"),
    (libc::SYS_write, "write"),
    (libc::SYS_writev, "writev"),
    (libc::SYS_preadv2, "preadv2"),
    (libc::SYS_pwritev2, "pwritev2"),
    (libc::SYS_fcntl, "fcntl"),
    (libc::SYS_close, "close"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fchown, "fchown"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_link, "link"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_pipe2, "pipe2"),
    (libc::SYS_statx, "statx"),
    (libc::SYS_newfstatat, "newfstatat"),
    (libc::SYS_fstat, "fstat"),
    (libc::SYS_readlink, "readlink"),
    (libc::SYS_getdents64, "getdents64"),
    (libc::SYS_sched_yield, "sched_yield"),
    (libc::SYS_rt_sigprocmask, "rt_sigprocmask"),
];
