//! The last user of a removed ring removes its semaphore set: the kernel frees the segment by
//! itself, but not the set.
//!
//! Between the last look at the set and its removal, its maker could remove it, and another user
//! get a set of the same id: ids are predictable, so this takes a moment of luck, not four million
//! sets. It needs a last user that may remove the other set (root, or whoever made that one), and
//! that uses or removes a ring of somebody else. A process that only looks at such a ring never
//! removes its set: the set is an orphan then, for `ringpipe gc`.

use crate::memory::{AfterDetach, Region};
use crate::parking::Semaphores;
use crate::sys::Errno;
use crate::sys::sem::{self, SemId};
use crate::sys::shm::{self, ShmId};

/// Arranges that the ring's set is removed after the last process has detached from the removed
/// segment, if the set is there, and made by `maker`, who made the segment. Otherwise the maker of
/// a segment could name another user's set in it, for a victim who has permission to remove that.
pub(super) fn with_set_removal(region: Region, id: ShmId, size: usize, maker: u32) -> Region {
    let Ok(facts) = region.header().identity.read(size) else {
        return region;
    };
    let removal = RemoveSetOnDrop {
        segment: id,
        set: SemId::from_raw(facts.sem_id),
        maker,
    };
    if removal.is_set_ours() {
        region.with_after_detach(removal)
    } else {
        region // gone already, or not ours to remove
    }
}

#[derive(Debug)]
struct RemoveSetOnDrop {
    segment: ShmId,
    set: SemId,
    maker: u32,
}

impl RemoveSetOnDrop {
    fn is_set_ours(&self) -> bool {
        matches!(
            Semaphores::read_mark(self.set),
            Ok(Some(mark)) if (mark.segment, mark.maker) == (self.segment, self.maker)
        )
    }
}

impl AfterDetach for RemoveSetOnDrop {}

impl Drop for RemoveSetOnDrop {
    fn drop(&mut self) {
        let is_gone = matches!(
            shm::shmctl_stat(self.segment),
            Err(Errno::EINVAL | Errno::EIDRM)
        );
        // The set is looked at again right before it is removed. Several may find the segment gone
        // at once; another one has then removed the set, and its id may mean another set by now.
        if is_gone && self.is_set_ours() {
            let _ = sem::semctl_rmid(self.set);
        }
    }
}
