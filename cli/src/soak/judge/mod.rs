//! Accounts for every item of a ring, by what its workers have noted, and by what is promised of the dead.
//!
//! Exact: what a push returned for is there, once. What a killed producer was about to push may be there, whole where that is promised. Of
//! what a killed consumer was about, a holder's hand may come again or be gone, and a taker's last call may have taken what it
//! never noted; no more than that, and nothing else.

mod books;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::log::Note;
use super::plan::Kind;
use super::worker::Role;
use books::Books;

/// What a ring promises.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) kind: Kind,
    pub(super) capacity: usize,
    /// Whether consumers looked first and released afterwards.
    pub(super) hold: bool,
    /// Whether what a dead consumer had in hand is dropped.
    pub(super) drops: bool,
    /// How many items the ring says that it dropped.
    pub(super) dropped: u64,
    /// Whether the semaphores were removed, with what was in the ring.
    pub(super) removed: bool,
}

/// What one worker left.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: u32,
    pub(super) role: Role,
    pub(super) pid: i32,
    pub(super) died: bool,
    pub(super) notes: Vec<Note>,
}

/// What became of the items. Each that was pushed is delivered, gone, left or lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Items {
    pub(super) pushed: u64,
    pub(super) delivered: u64,
    /// With a consumer that died with them in hand.
    pub(super) gone_with_the_dead: u64,
    /// In rings whose semaphores were removed.
    pub(super) left_in_removed: u64,
    pub(super) lost: u64,
    /// Those of a dead or reluctant consumer, delivered to the next: of the delivered.
    pub(super) delivered_again: u64,
    /// Delivered twice without any reason.
    pub(super) duplicated: u64,
    pub(super) out_of_order: u64,
    /// Never pushed by anybody in this form.
    pub(super) torn: u64,
}

impl Items {
    pub(super) fn add(&mut self, more: &Self) {
        self.pushed += more.pushed;
        self.delivered += more.delivered;
        self.gone_with_the_dead += more.gone_with_the_dead;
        self.left_in_removed += more.left_in_removed;
        self.lost += more.lost;
        self.delivered_again += more.delivered_again;
        self.duplicated += more.duplicated;
        self.out_of_order += more.out_of_order;
        self.torn += more.torn;
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) items: Items,
    /// What must not be, in words; the first few.
    pub(super) wrong: Vec<String>,
}

/// Accounts for everything.
pub(super) fn judge(terms: &Terms, accounts: &[Account]) -> Verdict {
    let mut books = Books::open(terms, accounts);
    for account in accounts.iter().filter(|one| one.role == Role::Consumer) {
        books.enter(account);
    }
    books.close()
}
