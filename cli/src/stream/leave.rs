//! What the last to leave takes along.
//!
//! A stream that nobody has open holds nothing, and a ring of records into which nothing was sent
//! promises nothing. Who made it by `send` or `recv`, or found it made by one who takes part in it,
//! removes it when nobody else does. What `mkfifo` has made is not theirs.
//!
//! Each looks after it has left. So of two who leave at once, the one who looks last finds nobody.

use ringpipe::Status;

use super::{Shared, leads_nowhere};
use crate::exit::Failure;

/// Whose a stream is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin {
    /// Whether its maker was seen to take part in it.
    ours: bool,
}

impl Origin {
    /// Looks who takes part, unless the maker was seen before.
    pub(super) fn look(&mut self, ring: &impl Shared) -> Result<(), Failure> {
        if !self.ours {
            let status = ring.status()?;
            self.ours = status.is_some_and(|status| takes_part(&status, status.creator));
        }
        Ok(())
    }

    /// Removes it, if that is for this process to do: it is ours, and the status shows that this
    /// is the `last` one. Whether it did.
    pub(super) fn tidy(self, ring: &impl Shared, last: impl FnOnce(&Status) -> bool) -> bool {
        if !self.ours || leads_nowhere(ring) {
            return false;
        }
        let last = matches!(ring.status(), Ok(Some(status)) if last(&status));
        last && ring.remove().is_ok()
    }
}

/// Whether a process takes part. This one does, also right before and after.
fn takes_part(status: &Status, pid: i32) -> bool {
    let all = &status.participants;
    pid == std::process::id().cast_signed() || all.iter().any(|one| one.pid == pid)
}

/// Whether nobody takes part any more, and nothing was ever sent.
pub(super) fn is_unused(status: &Status) -> bool {
    is_empty(status) && status.produced == 0
}

/// Whether nobody takes part any more.
pub(super) fn is_empty(status: &Status) -> bool {
    (status.producer.attached, status.consumer.attached) == (0, 0)
}
