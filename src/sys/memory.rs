#![allow(unsafe_code)]
//! Advice to the kernel about attached memory.

use std::fs;

use nix::sys::mman::{MmapAdvise, madvise};

use super::errno::{Errno, Result};
use super::from_nix;
use super::shm::Mapping;

/// Leaves the first `len` bytes out of core dumps: writing them delays the end of a crashing process,
/// and with it the undo that its peers wait for.
pub(crate) fn dont_dump(mapping: &Mapping, len: usize) -> Result<()> {
    advise(mapping, len, Harmless::DontDump)
}

/// Brings the first `len` bytes into memory, writable, without changing them.
///
/// If memory runs out the answer is an errno here (`ENOMEM`, `EFAULT`) instead of a signal at some
/// later store; unless the kernel would rather kill a process, which it does at the limit of a control group (but for
/// groups that have their OOM killer disabled). `EINVAL` before Linux 5.14, and for a mapping that is not writable.
pub(crate) fn populate_write(mapping: &Mapping, len: usize) -> Result<()> {
    advise(mapping, len, Harmless::PopulateWrite)
}

/// Makes sure that a load from the first `len` bytes is no signal (SIGBUS), as it is in huge pages that were promised to
/// nobody and are not there: `EFAULT`, `ENOMEM`.
///
/// Ordinary pages are had when they are looked at, and are left alone. What the kernel takes such advice for that huge pages, and locked
/// ones, refuse (`EINVAL`), tells them apart. A kernel before 5.14 cannot be asked.
pub(crate) fn check_huge(mapping: &Mapping, len: usize) -> Result<()> {
    match advise(mapping, 1, Harmless::Cold) {
        Err(Errno::EINVAL) => match advise(mapping, len, Harmless::PopulateRead) {
            Err(Errno::EINVAL) => Ok(()),
            populated => populated,
        },
        _ => Ok(()),
    }
}

/// Whether the pages are huge ones. Touches none of them.
///
/// The kernel refuses one kind of advice for huge pages and for locked ones (`EINVAL`), and on old
/// kernels for all; then `/proc/self/smaps` tells. Where that cannot be read, the answer is yes.
pub(crate) fn is_huge(mapping: &Mapping) -> bool {
    if advise(mapping, 1, Harmless::Cold) != Err(Errno::EINVAL) {
        return false;
    }
    let all = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let start = format!("{:x}-", mapping.as_ptr().addr());
    let mut lines = all.lines().skip_while(|line| !line.starts_with(&start));
    let flags = lines.find_map(|line| line.strip_prefix("VmFlags:"));
    flags.is_none_or(|flags| flags.split(' ').any(|flag| flag == "ht"))
}

/// The kinds of advice that change neither the content nor the access of any page.
#[derive(Copy, Clone)]
enum Harmless {
    DontDump,
    PopulateWrite,
    PopulateRead,
    Cold,
}

fn advise(mapping: &Mapping, len: usize, advice: Harmless) -> Result<()> {
    let advice = match advice {
        Harmless::DontDump => MmapAdvise::MADV_DONTDUMP,
        Harmless::PopulateWrite => MmapAdvise::MADV_POPULATE_WRITE,
        Harmless::PopulateRead => MmapAdvise::MADV_POPULATE_READ,
        Harmless::Cold => MmapAdvise::MADV_COLD,
    };
    // SAFETY: all kinds of advice leave every byte and every access right as they are, so they
    // cannot break anybody's memory, even if `len` were longer than the mapping.
    unsafe { madvise(mapping.as_ptr().cast(), len, advice) }.map_err(from_nix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::key::Key;
    use crate::sys::shm::{ShmAtFlags, ShmGetFlags, shmat, shmctl_rmid, shmget};

    const LEN: usize = 256 << 10;

    /// A segment that exists as long as it is attached.
    fn attach(flags: ShmAtFlags) -> Mapping {
        let id = shmget(Key::PRIVATE, LEN, ShmGetFlags::CREATE, 0o600).unwrap();
        let mapping = shmat(id, flags);
        shmctl_rmid(id).unwrap();
        mapping.unwrap()
    }

    /// The line `name:` of /proc/self/smaps for a mapping.
    fn smaps(mapping: &Mapping, name: &str) -> String {
        let start = format!("{:08x}-", mapping.as_ptr().addr());
        let all = fs::read_to_string("/proc/self/smaps").unwrap();
        let entry = all.lines().skip_while(|line| !line.starts_with(&start));
        let found = entry.skip(1).find_map(|line| line.strip_prefix(name));
        found.unwrap().trim_start_matches(':').trim().to_owned()
    }

    #[test]
    fn a_mapping_can_be_kept_out_of_dumps() {
        let mapping = attach(ShmAtFlags::empty());
        let dumped = |mapping| {
            !smaps(mapping, "VmFlags")
                .split(' ')
                .any(|flag| flag == "dd")
        };
        assert!(dumped(&mapping));
        dont_dump(&mapping, LEN).unwrap();
        assert!(!dumped(&mapping));
    }

    #[test]
    fn populating_brings_all_pages_in() {
        let mapping = attach(ShmAtFlags::empty());
        assert_eq!(smaps(&mapping, "Rss"), "0 kB");
        populate_write(&mapping, LEN).unwrap();
        assert_eq!(smaps(&mapping, "Rss"), format!("{} kB", LEN >> 10));
    }

    #[test]
    fn populating_a_read_only_mapping_is_refused() {
        let mapping = attach(ShmAtFlags::READ_ONLY);
        assert_eq!(populate_write(&mapping, LEN), Err(Errno::EINVAL));
    }
}
