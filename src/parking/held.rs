//! What this process holds, by its own account.
//!
//! The semaphores say who has a role or a number, and that is all that other processes go by. Within one process it is not
//! enough for memory safety: two handles of one role have the same slots, each as `&mut [T]`. And safe code can make the
//! kernel forget a holder that lives: it may set a semaphore, or leave the list of its adjustments (unshare(2) and setns(2),
//! with `CLONE_SYSVSEM` or `CLONE_NEWIPC`). So what a handle of this process has is noted here as well, and is not given out a second
//! time, whatever the kernel says; nor does this process clear up after itself.
//!
//! Table and semaphores change in one step, as far as this process can tell: the table is locked for the length of the call, which
//! never sleeps. So nobody is refused whom the kernel alone would not have refused.
//!
//! A forked child begins with an empty table, as it begins with an empty list of adjustments. It does not give up what it has
//! inherited handles of: they refuse to.

use std::collections::BTreeMap;

use super::ParkFault;
use crate::sys::proc;
use crate::sys::process_local::ProcessLocal;
use crate::sys::shm::ShmId;

/// The memory of a ring, as the kernel tells it from any other. What the header says plays no part.
///
/// While a segment is mapped, no other of its namespace has its id, and no other namespace has that one's inode. And nothing is
/// held in a ring that is not mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MappedSegment {
    id: ShmId,
    /// `None` if it cannot be told, as without /proc: it may be any.
    namespace: Option<u64>,
}

impl MappedSegment {
    /// That of a segment that the calling thread has just mapped: it is in the segment's namespace.
    pub(crate) fn of(id: ShmId) -> Self {
        Self {
            id,
            namespace: proc::ipc_namespace().ok(),
        }
    }

    pub(crate) fn id(self) -> ShmId {
        self.id
    }
}

/// What can be held, by the semaphore that stands for it: a role, or a participant's number.
type Post = (i32, u16, Option<u64>);

/// Whether it is a participant's number and the participant has settled in: only then what is said
/// of the number in the segment is this process's own.
type Settled = bool;

static HELD: ProcessLocal<BTreeMap<Post, Settled>> = ProcessLocal::new();

fn post(segment: MappedSegment, semaphore: u16) -> Post {
    (segment.id.raw(), semaphore, segment.namespace)
}

fn is_held(held: &BTreeMap<Post, Settled>, (id, semaphore, namespace): Post) -> bool {
    let any = (id, semaphore, None)..=(id, semaphore, Some(u64::MAX));
    held.range(any)
        .any(|((.., other), _)| *other == namespace || other.is_none() || namespace.is_none())
}

/// Takes what a semaphore stands for, unless this process has it, by the call `ask`.
pub(super) fn take(
    segment: MappedSegment,
    semaphore: u16,
    ask: impl FnOnce() -> Result<bool, ParkFault>,
) -> Result<bool, ParkFault> {
    let post = post(segment, semaphore);
    let mut held = HELD.lock();
    let taken = !is_held(&held, post) && ask()?;
    if taken {
        held.insert(post, false);
    }
    Ok(taken)
}

/// Gives it up by the call `tell`: also if that fails, since the caller is done with it.
pub(super) fn give(
    segment: MappedSegment,
    semaphore: u16,
    tell: impl FnOnce() -> Result<(), ParkFault>,
) -> Result<(), ParkFault> {
    let mut held = HELD.lock();
    held.remove(&post(segment, semaphore));
    tell()
}

/// Notes that the participant whose number it stands for has settled in.
pub(super) fn settle_in(segment: MappedSegment, semaphore: u16) {
    if let Some(settled) = HELD.lock().get_mut(&post(segment, semaphore)) {
        *settled = true;
    }
}

/// Whether a participant of this process has settled in with it. `false` also if that cannot be
/// told: the table stays locked, by the thread whose signal handler asks.
pub(super) fn has_settled(segment: MappedSegment, semaphore: u16) -> bool {
    /// Other threads lock it for the length of a call that does not sleep.
    const TRIES: u32 = 1000;
    let held = (0..TRIES).find_map(|_| {
        let held = HELD.try_lock();
        if held.is_none() {
            std::thread::yield_now();
        }
        held
    });
    held.is_some_and(|held| held.get(&post(segment, semaphore)) == Some(&true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: ParkFault = ParkFault::Removed;

    fn mapped(namespace: Option<u64>) -> MappedSegment {
        MappedSegment {
            id: ShmId::from_raw(-7), // nobody's
            namespace,
        }
    }

    /// Whether it could be had; if so, it is given up again.
    fn is_free(segment: MappedSegment, semaphore: u16) -> bool {
        let taken = take(segment, semaphore, || Ok(true)).unwrap();
        if taken {
            give(segment, semaphore, || Ok(())).unwrap();
        }
        taken
    }

    #[test]
    fn what_is_held_is_not_asked_for_and_free_when_given_up() {
        let here = mapped(Some(4));
        assert_eq!(take(here, 20, || Ok(true)), Ok(true));
        assert_eq!(take(here, 20, || panic!("asked for")), Ok(false));
        assert!(is_free(here, 21) && is_free(mapped(Some(5)), 20));
        assert!(!has_settled(here, 20));
        settle_in(here, 20);
        settle_in(here, 21);
        assert!(has_settled(here, 20) && !has_settled(here, 21));
        assert_eq!(give(here, 20, || Err(REFUSED)), Err(REFUSED));
        assert!(is_free(here, 20) && !has_settled(here, 20));
    }

    #[test]
    fn what_the_kernel_refuses_is_not_held() {
        let here = mapped(Some(4));
        assert_eq!(take(here, 22, || Ok(false)), Ok(false));
        assert_eq!(take(here, 22, || Err(REFUSED)), Err(REFUSED));
        assert!(is_free(here, 22));
    }

    #[test]
    fn a_namespace_that_cannot_be_told_may_be_any() {
        for (one, other) in [(None, Some(4)), (Some(4), None), (None, None)] {
            assert_eq!(take(mapped(one), 23, || Ok(true)), Ok(true));
            assert!(!is_free(mapped(other), 23));
            give(mapped(one), 23, || Ok(())).unwrap();
        }
    }
}
