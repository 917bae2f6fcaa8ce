//! Pages without access beside attached segments: who leaves one is ended by a signal.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::Range;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

/// Farther than any mistake in an item or two goes.
const WIDTH: usize = 1 << 20;

/// Fences all segments that this process has attached, on both sides. What is mapped there already, stays.
///
/// For good: whoever calls is a process for one round.
pub(crate) fn around_segments() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    for line in maps.lines().filter(|line| line.contains("/SYSV")) {
        let Range { start, end } = range_of(line);
        // As much as there is room for, page by page away from it.
        let pages = WIDTH / 4096;
        let before = (1..=pages).map(|n| start - n * 4096);
        let after = (0..pages).map(|n| end + n * 4096);
        before.take_while(|at| fenced(*at)).for_each(drop);
        after.take_while(|at| fenced(*at)).for_each(drop);
    }
}

/// Puts one where the next segment comes below it, as the kernel goes about it where there is no smaller gap.
pub(crate) fn ahead() {
    let width = NonZeroUsize::new(WIDTH).unwrap();
    // SAFETY: a new mapping anywhere.
    #[allow(unsafe_code)]
    unsafe { mmap_anonymous(None, width, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }.unwrap();
}

fn fenced(at: usize) -> bool {
    let (at, page) = (NonZeroUsize::new(at), NonZeroUsize::new(4096).unwrap());
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED_NOREPLACE;
    // SAFETY: a new mapping, which replaces none.
    #[allow(unsafe_code)]
    match unsafe { mmap_anonymous(at, page, ProtFlags::PROT_NONE, flags) } {
        Ok(_) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => panic!("{errno}"),
    }
}

fn is_fenced(at: usize) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut fences = maps.lines().filter(|line| line.contains(" ---p "));
    fences.any(|line| range_of(line).contains(&at))
}

fn range_of(line: &str) -> Range<usize> {
    let (range, _) = line.split_once(' ').unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let [start, end] = [start, end].map(|at| usize::from_str_radix(at, 16).unwrap());
    start..end
}

#[test]
fn who_leaves_a_fenced_segment_is_ended() {
    use crate::common::apart::skipped;
    use crate::common::forked_unprepared;
    use nix::sys::wait::WaitStatus;
    use ringpipe::sysv::{Key, ShmAtFlags, ShmGetFlags, shmat, shmctl_rmid, shmget};

    // Larger than any gap that it might be put into.
    let size = 16 << 20;
    for past in [-64, size + 64] {
        let leaver = forked_unprepared(|| {
            ahead();
            let id = shmget(Key::PRIVATE, size as usize, ShmGetFlags::CREATE, 0o600).unwrap();
            let mapping = shmat(id, ShmAtFlags::empty());
            shmctl_rmid(id).unwrap();
            let mapping = mapping.unwrap();
            around_segments();
            let past = mapping.as_ptr().as_ptr().wrapping_offset(past);
            if !is_fenced(past.addr()) {
                skipped("something else is mapped beside the segment");
                std::process::abort();
            }
            // SAFETY: none; it is to end the process.
            #[allow(unsafe_code)]
            let _ = unsafe { past.read_volatile() };
        });
        // A sanitizer turns the signal into an exit code.
        let end = leaver.end();
        assert!(!matches!(end, WaitStatus::Exited(_, 0)), "{end:?}");
    }
}
