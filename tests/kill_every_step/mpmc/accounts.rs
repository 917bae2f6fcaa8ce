//! Where every item went.

use std::collections::BTreeMap;

use super::VICTIMS;
use super::play::Play;
use crate::scene::{Fate, Stage};

/// An item that has come to somebody who can tell.
#[derive(Clone, Copy, Debug)]
struct Came {
    number: u64,
    /// Whether it is flagged as one that comes again.
    again: bool,
    /// Whether it came to a sleeper, and not to the one who takes what is left.
    aside: bool,
}

/// What is known to be pushed, but for what the victim pushes, and what has come.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pushed: Vec<u64>,
    came: Vec<Came>,
}

impl Accounts {
    pub(super) fn push(&mut self, numbers: impl IntoIterator<Item = u64>) {
        self.pushed.extend(numbers);
    }

    pub(super) fn come(&mut self, number: u64, again: bool) {
        let aside = false;
        self.came.push(Came {
            number,
            again,
            aside,
        });
    }

    pub(super) fn come_aside(&mut self, number: u64, again: bool) {
        let aside = true;
        self.came.push(Came {
            number,
            again,
            aside,
        });
    }

    pub(super) fn has_come(&self, number: u64) -> bool {
        self.came.iter().any(|came| came.number == number)
    }

    /// How many have come.
    pub(super) fn count(&self) -> u64 {
        self.came.len() as u64
    }

    /// How many were pushed that have not come.
    pub(super) fn left(&self) -> u64 {
        self.missing().len() as u64
    }

    /// How many of the victim's have come.
    pub(super) fn of_victim(&self) -> u64 {
        let victims = self.came.iter().filter(|came| source(came.number) == 1);
        victims.count() as u64
    }

    /// What was pushed and has not come, in the order in which it was pushed.
    fn missing(&self) -> Vec<u64> {
        let missing = |number: &&u64| !self.has_come(**number);
        self.pushed.iter().filter(missing).copied().collect()
    }

    /// Everything that is left has come.
    pub(super) fn check(&self, play: &Play, fate: Fate, stage: Stage) {
        self.check_each();
        self.check_pushed(play, fate, stage);
        self.check_taken(play, fate, stage);
        let again = self.came.iter().filter(|came| came.again).count() as u64;
        assert!(play.again.contains(&again), "{again} came again");
    }

    /// Nothing came twice, nothing came that was not pushed, and everybody's items came in order.
    fn check_each(&self) {
        let mut numbers: Vec<_> = self.came.iter().map(|came| came.number).collect();
        numbers.sort_unstable();
        let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "came twice");
        let known = |number: &u64| source(*number) == 1 || self.pushed.contains(number);
        assert!(
            numbers.iter().all(known),
            "{numbers:?} of {:?}",
            self.pushed
        );

        let mut last = BTreeMap::new();
        for came in self.came.iter().filter(|came| !came.again && !came.aside) {
            let before = last.insert(source(came.number), came.number);
            assert!(before < Some(came.number), "out of order: {:?}", self.came);
        }
    }

    /// The victim's items: the first ones, as many as there may be, and those of a run side by side.
    fn check_pushed(&self, play: &Play, fate: Fate, stage: Stage) {
        let (count, reported) = (self.of_victim(), stage.reported());
        assert!(play.pushed.contains(&count), "{count} came");
        assert!((VICTIMS..VICTIMS + count).all(|number| self.has_come(number)));
        if play.pushes() {
            assert!(count >= reported, "{count} came of {reported}");
        }
        assert!(fate == Fate::Killed || Some(&count) == play.pushed.last());
        if play.run && count > 0 {
            let place = self.came.iter().position(|came| came.number == VICTIMS);
            let run = self.came[place.expect("it came")..].iter();
            let run = run.map(|came| came.number).take(count as usize);
            assert!(run.eq(VICTIMS..VICTIMS + count), "{:?}", self.came);
        }
    }

    /// What the victim has taken: that alone is missing, and what it had in hand came flagged.
    fn check_taken(&self, play: &Play, fate: Fate, stage: Stage) {
        let missing = self.missing();
        let count = missing.len() as u64;
        assert!(play.taken.contains(&count), "missing: {missing:?}");
        if fate == Fate::Ended {
            let mut told = stage.told();
            told.sort_unstable();
            return assert_eq!(missing, told, "told");
        }
        if play.pushes() || play.dead.is_some() {
            return;
        }
        assert!(count >= stage.reported(), "missing: {missing:?}");
        assert!(self.pushed.starts_with(&missing), "missing: {missing:?}");
        let held = self.pushed.iter().take(stage.held() as usize);
        for number in held.skip(missing.len()) {
            let came = self.came.iter().find(|came| came.number == *number);
            assert!(came.is_some_and(|came| came.again), "{number}: {came:?}");
        }
    }
}

/// Whose item it is.
fn source(number: u64) -> u64 {
    number / VICTIMS
}
