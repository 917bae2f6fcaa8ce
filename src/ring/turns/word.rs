//! The word of a turn: whose it is, and how.
//!
//! ```text
//! Open --CAS--> Held(n) --store--> Open, or Kept(n)
//! Kept(n) --CAS by another--> Asked(n) --CAS by whoever finds n idle, or by n--> Held(m)
//! any that names a dead one --CAS by who clears up--> Open
//! ```
//!
//! Each change counts the word up, so that no word is ever the same again.

/// `state 2 | owner 9 | count 53`, from the lowest bit on. A zeroed word is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody's.
    Open,
    /// In use by that participant.
    Held(u16),
    /// That participant's also between its operations; whether it uses it now, its entry says.
    Kept(u16),
    /// The same, but another has asked for it.
    Asked(u16),
}

const OWNER: u32 = 2;
const COUNT: u32 = 11;

impl Word {
    pub(super) const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn state(self) -> State {
        let owner = (self.0 >> OWNER & 0x1ff) as u16;
        match self.0 & 3 {
            0 => State::Open,
            1 => State::Held(owner),
            2 => State::Kept(owner),
            _ => State::Asked(owner),
        }
    }

    /// The word that comes after this one.
    pub(super) fn next(self, state: State) -> Self {
        let (code, owner) = match state {
            State::Open => (0, 0),
            State::Held(owner) => (1, owner),
            State::Kept(owner) => (2, owner),
            State::Asked(owner) => (3, owner),
        };
        let count = (self.0 >> COUNT).wrapping_add(1);
        Self(code | u64::from(owner) << OWNER | count << COUNT)
    }

    /// The participant that it names.
    pub(super) fn owner(self) -> Option<u16> {
        match self.state() {
            State::Open => None,
            State::Held(owner) | State::Kept(owner) | State::Asked(owner) => Some(owner),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_what_was_put_in_and_is_never_the_same_again() {
        let mut word = Word::of_bits(0);
        assert_eq!(word.state(), State::Open);
        let states = [
            State::Held(511),
            State::Kept(1),
            State::Asked(1),
            State::Open,
        ];
        for state in states {
            let next = word.next(state);
            assert_eq!(next.state(), state);
            assert_ne!(next, word);
            word = next;
        }
        assert_ne!(word, Word::of_bits(0));
        assert_eq!(Word::of_bits(u64::MAX).next(State::Open).bits(), 0);
    }
}
