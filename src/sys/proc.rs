#![allow(unsafe_code)]
//! What the system says about itself: namespaces, boot, limits, lists of objects, clock, randomness.

use core::str::FromStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};

use super::errno::Errno;
use super::sem::SemId;
use super::shm::ShmId;

/// The inode of the IPC namespace this thread is in: identifiers mean something only inside it.
pub(crate) fn ipc_namespace() -> io::Result<u64> {
    fs::metadata("/proc/thread-self/ns/ipc").map(|file| file.ino())
}

/// Whether a process that this one can see, and look at, is in the IPC namespace with that inode.
pub(crate) fn is_namespace_alive(inode: u64) -> bool {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .any(|entry| {
            let namespace = fs::metadata(entry.path().join("ns/ipc"));
            namespace.is_ok_and(|file| file.ino() == inode)
        })
}

/// The inode of the mount namespace this thread is in: a path means something only inside it.
pub(crate) fn mount_namespace() -> io::Result<u64> {
    fs::metadata("/proc/thread-self/ns/mnt").map(|file| file.ino())
}

/// A boot id that is not known.
pub(crate) const UNKNOWN_BOOT: [u8; 16] = [0; 16];

/// The random number of this boot: no System V object is older. [`UNKNOWN_BOOT`] if the file does
/// not say it.
///
/// LXC and systemd-nspawn mount a file over it, so that each start of a container looks like a
/// boot. Such a file is on another device than its neighbours.
pub(crate) fn boot_id() -> io::Result<[u8; 16]> {
    let mut file = File::open("/proc/sys/kernel/random/boot_id")?;
    let neighbour = fs::metadata("/proc/sys/kernel/random/uuid");
    if neighbour.map(|neighbour| neighbour.dev()).ok() != Some(file.metadata()?.dev()) {
        return Ok(UNKNOWN_BOOT);
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let digits = text.trim().replace('-', "");
    let number = u128::from_str_radix(&digits, 16).map_err(|_| unexpected("boot_id"))?;
    Ok(number.to_be_bytes())
}

/// The user in whose name this thread acts: the kernel makes it the creator of what the thread makes.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: takes nothing, gives a number, and cannot fail.
    unsafe { libc::geteuid() }
}

/// Random bytes from the kernel. At early boot it sleeps until there is enough entropy.
pub(crate) fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    const { assert!(N <= 256, "getrandom may stop short above 256 bytes") };
    let mut bytes = [0; N];
    loop {
        // SAFETY: the kernel writes at most N bytes to the start of an array of N, a local one.
        if unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) } != -1 {
            return Ok(bytes);
        }
        let error = io::Error::last_os_error();
        // While it sleeps, a signal may come.
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// The shared memory segments of this IPC namespace, also those of others.
pub(crate) fn shm_ids() -> io::Result<Vec<ShmId>> {
    second_column("/proc/sysvipc/shm").map(|ids| ids.into_iter().map(ShmId::from_raw).collect())
}

/// The semaphore sets of this IPC namespace, also those of others.
pub(crate) fn sem_ids() -> io::Result<Vec<SemId>> {
    second_column("/proc/sysvipc/sem").map(|ids| ids.into_iter().map(SemId::from_raw).collect())
}

/// How many bytes of a segment are in memory or swapped out; `None` if it is gone.
pub(crate) fn bytes_had(id: ShmId) -> io::Result<Option<u64>> {
    const TABLE: &str = "/proc/sysvipc/shm";
    let table = fs::read_to_string(TABLE)?;
    let row = table.lines().skip(1).find_map(|line| {
        let columns: Vec<_> = line.split_ascii_whitespace().collect();
        let is_its = columns.get(1).and_then(|own| own.parse().ok()) == Some(id.raw());
        is_its.then_some(columns)
    });
    // The last two columns.
    let Some([.., resident, swapped]) = row.as_deref() else {
        return Ok(None);
    };
    Ok(Some(
        parse::<u64>(resident, TABLE)? + parse::<u64>(swapped, TABLE)?,
    ))
}

/// The identifiers in a table of /proc/sysvipc: one heading, then one object a line, key first.
fn second_column(path: &str) -> io::Result<Vec<i32>> {
    let table = fs::read_to_string(path)?;
    let ids = table
        .lines()
        .skip(1)
        .map(|line| line.split_ascii_whitespace().nth(1));
    ids.map(|id| parse(id.unwrap_or_default(), path)).collect()
}

/// The numbers of a kernel setting, named as for sysctl(8), such as `kernel.sem`.
pub(crate) fn limit(name: &str) -> io::Result<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/")))?;
    text.split_ascii_whitespace()
        .map(|word| parse(word, name))
        .collect()
}

fn parse<T: FromStr>(word: &str, of: &str) -> io::Result<T> {
    word.parse().map_err(|_| unexpected(of))
}

fn unexpected(of: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("unexpected content of {of}"),
    )
}

/// Seconds since the system was started. Nobody sets this clock, and it counts while the system
/// sleeps.
pub(crate) fn uptime() -> u64 {
    nanoseconds(libc::CLOCK_BOOTTIME) / 1_000_000_000
}

/// The kernel's coarse clock in nanoseconds: monotonic, moves once a tick (1 to 10 ms), cheap to read.
///
/// To ask "has a tick passed since", not to measure.
pub(crate) fn coarse_tick() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC_COARSE)
}

/// The kernel's monotonic clock in nanoseconds: what `Instant` shows, as a number that is compared at once.
#[inline]
pub(crate) fn tick() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

#[inline]
fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one timespec to the address, a local one.
    let returned = unsafe { libc::clock_gettime(clock, &raw mut now) };
    // It can fail for a bad clock or address only, and these are neither.
    debug_assert_eq!(returned, 0);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// The name of a process, if there is one with this number: for people to read.
pub(crate) fn command_of(pid: i32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// Whether a process has ended, as far as can be told: there is none of that number, or only what
/// its parent has not reaped.
pub(crate) fn has_ended(pid: i32) -> bool {
    if pid <= 0 {
        return false;
    }
    // SAFETY: signal 0 is none; the call checks whether the process exists, and touches no memory.
    if unsafe { libc::kill(pid, 0) } == -1 {
        return Errno::last() == Errno::ESRCH;
    }
    // A process whose first thread has ended looks like that, too, but has others.
    let others = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    is_proc_ours() && others == 1 && state_of(pid).is_some_and(|state| "ZX".contains(state))
}

/// Whether the numbers in /proc are those by which this process knows others.
fn is_proc_ours() -> bool {
    let own = fs::read_link("/proc/self");
    own.is_ok_and(|own| own.as_os_str() == std::process::id().to_string().as_str())
}

/// The letter for what a process is about, if there is one with this number: see proc(5).
fn state_of(pid: i32) -> Option<char> {
    state_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn state_in(stat: &str) -> Option<char> {
    // The state comes behind the name, which is in brackets and may hold anything.
    stat.rsplit(") ").next()?.chars().next()
}

/// Whether a process is stopped, by a signal or a debugger.
pub(crate) fn is_stopped(pid: i32) -> bool {
    state_of(pid).is_some_and(is_stop)
}

fn is_stop(state: char) -> bool {
    "Tt".contains(state)
}

/// What tells of this process's state, also to another process that has the descriptor.
pub(crate) fn own_stat() -> io::Result<File> {
    File::open("/proc/self/stat")
}

/// The same as [`is_stopped`] for the process of a file from [`own_stat`].
pub(crate) fn is_stopped_by(stat: &File) -> bool {
    let mut text = [0; 256];
    let Ok(len) = stat.read_at(&mut text, 0) else {
        return false; // it is gone
    };
    state_in(&String::from_utf8_lossy(&text[..len])).is_some_and(is_stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::key::Key;
    use crate::sys::sem::{SemGetFlags, semctl_rmid, semget};
    use crate::sys::shm::{ShmGetFlags, shmctl_rmid, shmget};
    use std::process;

    #[test]
    fn the_namespace_is_the_one_the_link_names() {
        let link = fs::read_link("/proc/self/ns/ipc").unwrap();
        assert_eq!(
            link.to_str().unwrap(),
            format!("ipc:[{}]", ipc_namespace().unwrap())
        );
    }

    #[test]
    fn the_boot_id_is_the_one_in_the_file() {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let hex: String = boot_id()
            .unwrap()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, text.trim().replace('-', ""));
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random_bytes::<16>().unwrap(), random_bytes::<16>().unwrap());
    }

    #[test]
    fn objects_are_listed_while_they_exist() {
        let shm = shmget(Key::PRIVATE, 1, ShmGetFlags::CREATE, 0o600).unwrap();
        let sem = semget(Key::PRIVATE, 1, SemGetFlags::CREATE, 0o600).unwrap();
        let lists = (shm_ids(), sem_ids());
        shmctl_rmid(shm).unwrap();
        semctl_rmid(sem).unwrap();
        assert!(lists.0.unwrap().contains(&shm));
        assert!(lists.1.unwrap().contains(&sem));
        assert!(!shm_ids().unwrap().contains(&shm));
        assert!(!sem_ids().unwrap().contains(&sem));
    }

    #[test]
    fn limits_have_all_their_numbers() {
        assert_eq!(limit("kernel.sem").unwrap().len(), 4);
        assert_eq!(limit("kernel.shmmni").unwrap().len(), 1);
        assert_eq!(
            limit("kernel.nothing").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn the_coarse_clock_moves_on() {
        let start = coarse_tick();
        while coarse_tick() == start {
            std::hint::spin_loop();
        }
        assert!(coarse_tick() > start);
    }

    #[test]
    fn the_coarse_clock_stands_still_between_ticks() {
        let mut reads: Vec<u64> = (0..10_000).map(|_| coarse_tick()).collect();
        assert!(reads.is_sorted());
        reads.dedup();
        assert!(reads.len() < 10_000);
    }

    #[test]
    fn a_process_has_a_name_and_no_process_has_none() {
        let own = command_of(process::id().cast_signed()).unwrap();
        assert_eq!(
            own,
            fs::read_to_string("/proc/self/comm").unwrap().trim_end()
        );
        assert_eq!(command_of(-1), None);
    }
}
