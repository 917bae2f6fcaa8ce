//! Which limit an error of the kernel speaks of, and how to raise it.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::Error;
use crate::name::Name;
use crate::sys::{Errno, proc};

/// Explains why shmget(2) gave no new segment of `size` bytes.
pub(super) fn of_segment(name: &Name, size: usize, huge: bool, errno: Errno) -> Error {
    match errno {
        Errno::EINVAL => sysctl(
            format!("a segment of {size} bytes is larger than this kernel allows"),
            "kernel.shmmax",
            "raise it with `sysctl -w kernel.shmmax=BYTES`, or make the ring smaller",
            errno,
        ),
        Errno::ENOSPC
            if count_reached(proc::shm_ids().map(|ids| ids.len()), "kernel.shmmni", 0) =>
        {
            sysctl(
                "there are as many shared-memory segments as this kernel allows".into(),
                "kernel.shmmni",
                "remove dead rings with `ringpipe gc`, look for others with `ipcs -m`, or raise it with \
             `sysctl -w kernel.shmmni=NUMBER`",
                errno,
            )
        }
        Errno::ENOSPC => sysctl(
            format!(
                "with {size} bytes more, shared memory would exceed what this kernel allows in all"
            ),
            "kernel.shmall",
            "it counts pages: raise it with `sysctl -w kernel.shmall=PAGES`, or remove what `ipcs -m` \
             shows and nobody needs",
            errno,
        ),
        Errno::ENOMEM | Errno::EPERM if huge => sysctl(
            format!(
                "there are not enough huge pages for {size} bytes, or no permission to use them"
            ),
            "vm.nr_hugepages",
            "reserve some with `sysctl -w vm.nr_hugepages=NUMBER`; users without CAP_IPC_LOCK must be in \
             the group `vm.hugetlb_shm_group`",
            errno,
        ),
        Errno::ENOMEM => out_of_memory(size, errno),
        _ => of_call("shmget", name, "create", errno),
    }
}

const RMID_FORCED: &str = "kernel.shm_rmid_forced";

/// Whether this kernel frees segments that nobody is attached to; also if it does not tell.
pub(super) fn is_rmid_forced() -> bool {
    match proc::limit(RMID_FORCED) {
        Ok(value) => value != [0],
        Err(error) => error.kind() != ErrorKind::NotFound, // a kernel without the setting
    }
}

/// Refuses to make a ring that the kernel would free, with its items, while nobody is attached.
pub(super) fn check_rmid_forced() -> Result<(), Error> {
    match proc::limit(RMID_FORCED) {
        Ok(value) if value != [0] => Err(sysctl(
            "this kernel frees a ring, with all items in it, as soon as no process is attached to it".into(),
            RMID_FORCED,
            "turn that off with `sysctl -w kernel.shm_rmid_forced=0`; or, if some process will always be attached, create \
             the ring with `Options::allow_rmid_forced(true)` (`--allow-rmid-forced`)",
            Errno::ENOTSUP,
        )),
        Ok(_) => Ok(()),
        // Not to be told here: as on a kernel without the setting.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => Ok(()),
        Err(source) => Err(super::of_file(
            Path::new("/proc/sys/kernel/shm_rmid_forced"),
            "read",
            source,
        )),
    }
}

/// Explains why semget(2) gave no new set of `size` semaphores.
pub(super) fn of_set(name: &Name, size: i32, errno: Errno) -> Error {
    let advice = "remove dead rings with `ringpipe gc`, look for other sets with `ipcs -s`, or raise it with \
                  `sysctl -w kernel.sem=\"SEMMSL SEMMNS SEMOPM SEMMNI\"`";
    match errno {
        Errno::ENOSPC if count_reached(proc::sem_ids().map(|ids| ids.len()), "kernel.sem", 3) => sysctl(
            "there are as many semaphore sets as this kernel allows (SEMMNI, the fourth number)".into(),
            "kernel.sem",
            advice,
            errno,
        ),
        Errno::ENOSPC => sysctl(
            "there are as many semaphores as this kernel allows (SEMMNS, the second number)".into(),
            "kernel.sem",
            advice,
            errno,
        ),
        Errno::EINVAL => sysctl(
            format!("a ring's set of {size} semaphores is larger than this kernel allows (SEMMSL, the first number)"),
            "kernel.sem",
            advice,
            errno,
        ),
        _ => of_call("semget", name, "create the semaphores of", errno),
    }
}

/// Explains why a fresh set could not be marked: so many operations at once may be too many.
pub(super) fn of_operations(name: &Name, count: usize, errno: Errno) -> Error {
    match errno {
        Errno::E2BIG => sysctl(
            format!("a ring needs {count} semaphore operations at once (SEMOPM, the third number)"),
            "kernel.sem",
            "raise it with `sysctl -w kernel.sem=\"SEMMSL SEMMNS SEMOPM SEMMNI\"`",
            errno,
        ),
        _ => of_call("semop", name, "prepare the semaphores of", errno),
    }
}

/// Explains why the pages of a new ring could not be had.
pub(super) fn out_of_memory(size: usize, errno: Errno) -> Error {
    Error::Limit {
        what: format!("there is no memory for {size} bytes"),
        limit: "memory",
        value: "exhausted, for the system or this control group".into(),
        advice: "make the ring smaller, free memory, or raise the control group's limit".into(),
        source: errno,
    }
}

/// Explains why the pages of a new ring could not be locked.
pub(super) fn locked_memory(errno: Errno) -> Error {
    Error::Limit {
        what: "the ring's pages cannot be locked into memory".into(),
        limit: "RLIMIT_MEMLOCK",
        value: "too low for the ring".into(),
        advice:
            "raise it with `ulimit -l`, grant CAP_IPC_LOCK, or do without `Options::lock_memory`"
                .into(),
        source: errno,
    }
}

/// An error of a call on a named ring that speaks of no limit.
pub(super) fn of_call(
    call: &'static str,
    name: &Name,
    action: &'static str,
    errno: Errno,
) -> Error {
    match errno {
        Errno::EACCES | Errno::EPERM => Error::PermissionDenied {
            name: name.clone(),
            action,
            source: errno,
        },
        _ => Error::Call {
            call,
            source: errno,
        },
    }
}

fn sysctl(what: String, limit: &'static str, advice: &str, source: Errno) -> Error {
    let value = proc::limit(limit).map_or_else(
        |_| "unknown".into(),
        |numbers| {
            numbers
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        },
    );
    Error::Limit {
        what,
        limit,
        value,
        advice: advice.into(),
        source,
    }
}

fn count_reached(count: std::io::Result<usize>, limit: &str, column: usize) -> bool {
    let (Ok(count), Ok(numbers)) = (count, proc::limit(limit)) else {
        return false;
    };
    numbers
        .get(column)
        .is_some_and(|most| count as u64 >= *most)
}
