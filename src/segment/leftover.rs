//! What a creator leaves that is killed before it has written anything: an empty segment, or a set of zeros.
//!
//! Anybody may make such objects. Ours are told apart by their mode: while a ring is in the making, both have execute
//! bits for group and others and none for the owner. The kernel gives these bits no meaning for memory and semaphores, and
//! nobody else sets just those. The creator sets the ring's own mode before it says that the ring is ready.

use super::{Trust, open, stat};
use crate::memory::{Region, Unfit};
use crate::name::Name;
use crate::parking::SET_SIZE;
use crate::sys::key::Key;
use crate::sys::sem::{self, SemId};
use crate::sys::shm::{ShmAtFlags, ShmId, ShmStat};
use crate::sys::{Errno, proc};

/// What others may do with the objects counts from the beginning.
const OTHERS: u32 = 0o066;
/// The owner reads and writes, and the execute bits are as nobody else sets them.
const SIGN: u32 = 0o611;

/// The mode of a ring's objects while it is in the making, if it will have that `mode`.
pub(super) fn mode_in_making(mode: u32) -> u32 {
    mode & OTHERS | SIGN
}

fn has_sign(mode: u32) -> bool {
    mode & !OTHERS == SIGN
}

/// Whether an attached segment that holds no ring may yet become one: its creator has not written to it.
pub(super) fn is_begun(known: &ShmStat, region: &Region) -> bool {
    has_sign(known.mode) && region.is_blank()
}

/// The segment, attached, if a creator of this user's made it and ended without writing to it.
///
/// Its creator has ended: so nobody ever will. Its id is its own while it is attached.
pub(super) fn blank_segment(id: ShmId) -> Option<Region> {
    let is_left = |known: &ShmStat| {
        let ours = has_sign(known.mode) && known.cuid == proc::effective_uid();
        ours && proc::has_ended(known.cpid)
    };
    let known = stat(id).ok()?.filter(|known| is_left(known))?;
    let flags = ShmAtFlags::READ_ONLY;
    let region = open::attach(&Name::Id(id), id, &known, flags, Trust::Look).ok()??;
    // Anew: now that it is attached, the id means this segment.
    let known = stat(id).ok()??;
    (known.nattch == 1 && is_left(&known) && region.is_blank()).then_some(region)
}

/// Whether a set was made for a ring by this user, and its creator ended before it could mark it.
///
/// The kernel does not say who made it. But until a creator has marked its set, its segment is attached and not ready: where there
/// is no such segment, no creator is at work that could have made the set.
pub(super) fn is_blank_set(set: SemId) -> Result<bool, Errno> {
    let known = sem::semctl_stat(set)?;
    let ours = has_sign(known.mode) && known.cuid == proc::effective_uid();
    if !ours || known.key != Key::PRIVATE || known.otime != 0 || known.nsems < SET_SIZE {
        return Ok(false);
    }
    let is_blank = sem::semctl_getall(set)?.iter().all(|value| *value == 0);
    Ok(is_blank && !is_creator_at_work())
}

/// Whether this user makes a ring at this moment; also if that cannot be told.
fn is_creator_at_work() -> bool {
    let Ok(ids) = proc::shm_ids() else {
        return true;
    };
    ids.into_iter().any(is_in_making)
}

fn is_in_making(id: ShmId) -> bool {
    // Until the set is marked the mode lets this user look.
    let Ok(Some(known)) = stat(id) else {
        return false;
    };
    if known.cuid != proc::effective_uid() || known.nattch == 0 || !has_sign(known.mode) {
        return false;
    }
    let flags = ShmAtFlags::READ_ONLY;
    match open::attach(&Name::Id(id), id, &known, flags, Trust::Look) {
        Ok(Some(region)) => matches!(
            region.header().identity.read(region.len()),
            Err(Unfit::NotReady | Unfit::NotARing)
        ),
        Ok(None) => false,
        Err(_) => true, // as far as can be told
    }
}
