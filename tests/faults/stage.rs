//! What the process that does a scene and the one that disturbs it know of each other.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};

use crate::calls::{Call, Deed};
use crate::common::Shared;
use crate::common::single::mark;

/// A fault as the disturbed process learns of it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub number: i64,
    pub errno: i32,
    /// The first three arguments' lower halves, by which control calls differ.
    pub args: [i32; 3],
    /// For semaphores: it is a wake-up, or may sleep.
    pub wakes: bool,
    pub sleeps: bool,
}

/// The calls on objects that exist.
const OF_IPC: [i64; 6] = [
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semctl,
    libc::SYS_semop,
    libc::SYS_semtimedop,
];

impl Hit {
    pub fn is_of_ipc(&self) -> bool {
        OF_IPC.contains(&self.number)
    }

    /// Whether no ring can be made after that, as it was asked for.
    pub fn forbids_creation(&self) -> bool {
        match self.number {
            libc::SYS_shmget | libc::SYS_semget | libc::SYS_shmat => true,
            // There are file systems without modes.
            libc::SYS_fchmod if self.errno == libc::EPERM => false,
            libc::SYS_fsync | libc::SYS_fchown | libc::SYS_fchmod | libc::SYS_linkat => {
                self.errno != libc::EINTR
            }
            libc::SYS_shmctl => [libc::SHM_LOCK, libc::IPC_SET].contains(&self.args[1]),
            libc::SYS_madvise => {
                self.args[2] == libc::MADV_POPULATE_WRITE && self.errno != libc::EINVAL
            }
            _ => false,
        }
    }

    /// Whether an object was not removed although it is this user's.
    pub fn forbids_removal(&self) -> bool {
        let command = match self.number {
            libc::SYS_shmctl => self.args[1],
            libc::SYS_semctl => self.args[2],
            _ => return false,
        };
        command == libc::IPC_RMID && self.errno == libc::EPERM
    }

    /// Whether it said that an object is gone which is there.
    pub fn is_false_alarm(&self) -> bool {
        matches!(self.errno, libc::EIDRM | libc::EINVAL) && self.is_of_ipc()
    }
}

/// Memory that both have.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    words: Shared,
}

const HIT: usize = 0;
const FAILED: usize = 1;
const FIRST: usize = 2;

impl Stage {
    pub fn new() -> Self {
        Self {
            words: Shared::with(16),
        }
    }

    pub fn clear(self) {
        (0..16).for_each(|word| self.words.set(word, 0));
    }

    /// By the disturber: this call fails.
    pub fn hit(self, call: &Call, deed: Deed) {
        let word = |value: i32| u64::from(value.cast_unsigned());
        self.words.set(FIRST, call.number.cast_unsigned());
        self.words.set(FIRST + 1, word(deed.errno));
        for (n, arg) in call.args.iter().take(3).enumerate() {
            self.words.set(FIRST + 2 + n, *arg);
        }
        self.words.set(FIRST + 5, u64::from(call.wakes()));
        self.words.set(FIRST + 6, u64::from(call.may_sleep()));
        self.words.set(HIT, 1);
    }

    /// What has failed, if anything has.
    pub fn fault(self) -> Option<Hit> {
        let word = |n: usize| self.words.get(FIRST + n) as u32 as i32;
        (self.words.get(HIT) == 1).then(|| Hit {
            number: self.words.get(FIRST).cast_signed(),
            errno: word(1),
            args: [word(2), word(3), word(4)],
            wakes: word(5) == 1,
            sleeps: word(6) == 1,
        })
    }

    /// Does what is disturbed.
    pub fn attempt<R>(self, operation: impl FnOnce() -> R) -> R {
        mark();
        let result = operation();
        mark();
        result
    }

    /// The attempt came to an error; how many did is counted.
    pub fn failed(self) {
        self.words.add(FAILED);
    }

    pub fn failures(self) -> u64 {
        self.words.get(FAILED)
    }

    /// By the disturbed process: a scene from beginning to end, which must leave no file open, nothing attached, and no child.
    pub fn play(self, scene: impl FnOnce()) {
        mark();
        let before = open_files();
        scene();
        assert_eq!(open_files(), before, "open files");
        assert_eq!(attached(), 0, "segments are attached");
        let child = waitpid(None, Some(WaitPidFlag::WNOHANG));
        assert_eq!(child, Err(Errno::ECHILD), "a child is left");
    }
}

fn open_files() -> Vec<PathBuf> {
    let numbers = fs::read_dir("/proc/self/fd").expect("proc(5)");
    let files = numbers.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let own = Path::new("/proc")
        .join(std::process::id().to_string())
        .join("fd");
    files.filter(|file| *file != own).collect()
}

fn attached() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("proc(5)");
    maps.lines().filter(|line| line.contains("/SYSV")).count()
}
