//! The books: what was pushed, and how often each item came.

use std::collections::HashMap;

use super::{Account, Items, Terms, Verdict};
use crate::soak::log::Note;
use crate::soak::plan::Kind;
use crate::soak::worker::Role;

/// How many things that must not be are told of in words.
const WORDS: usize = 20;

/// How often an item came.
#[derive(Clone, Copy, Default)]
struct Fate {
    /// As a new one.
    new: u8,
    /// As one that somebody had had.
    again: u8,
    /// To somebody who was done with it.
    done: u8,
    /// To somebody who died with it, and may have been done.
    doubtful: u8,
    /// To somebody who gave it back.
    returned: u8,
}

impl Fate {
    fn came(self) -> bool {
        self.done > 0 || self.doubtful > 0 || self.returned > 0
    }
}

/// What one producer pushed.
struct Feed {
    pid: i32,
    /// How many for certain.
    certain: u64,
    /// Whether those that it was about to push when it died are there all or none.
    whole: bool,
    /// Of these, too.
    fates: Vec<Fate>,
}

/// Items of one producer that came together: its number, the first, how many.
type Run = (u32, u64, u32);

/// What a consumer is about.
#[derive(Default)]
struct Hand {
    runs: Vec<Run>,
    /// How many more it may have got than it has noted.
    asked: u32,
}

pub(super) struct Books<'a> {
    terms: &'a Terms,
    feeds: HashMap<u32, Feed>,
    verdict: Verdict,
    /// How many items dead consumers may have had in hand without having noted it.
    unnoted: u64,
    /// How many came again that nobody had noted.
    returns: u64,
    /// Who consumes now, and the number after the last new item of each producer.
    reader: String,
    next: HashMap<u32, u64>,
}

impl<'a> Books<'a> {
    pub(super) fn open(terms: &'a Terms, accounts: &[Account]) -> Self {
        let producers = accounts.iter().filter(|one| one.role == Role::Producer);
        Self {
            terms,
            feeds: producers.map(|one| (one.id, feed(one))).collect(),
            verdict: Verdict::default(),
            unnoted: 0,
            returns: 0,
            reader: String::new(),
            next: HashMap::new(),
        }
    }

    fn wrong(&mut self, what: &str) {
        if self.verdict.wrong.len() < WORDS {
            self.verdict.wrong.push(format!("{}: {what}", self.reader));
        }
    }

    /// Goes through what a consumer has noted.
    pub(super) fn enter(&mut self, consumer: &Account) {
        self.reader = format!("consumer #{} (pid {})", consumer.id, consumer.pid);
        self.next.clear();
        let mut hand = Hand::default();
        for note in &consumer.notes {
            self.hear(*note, &mut hand);
        }
        if consumer.died && self.terms.hold {
            self.each(&hand.runs, |fate, _| {
                fate.doubtful = fate.doubtful.saturating_add(1);
            });
        } else {
            self.settle(&hand.runs);
        }
        if consumer.died {
            self.unnoted += u64::from(hand.asked);
        }
    }

    fn hear(&mut self, note: Note, hand: &mut Hand) {
        match note {
            Note::Take { most } => {
                self.settle(&hand.runs);
                hand.runs.clear();
                hand.asked = most;
            }
            Note::Got {
                producer,
                first,
                count,
                again,
            } => {
                hand.asked = hand.asked.saturating_sub(count);
                let run = (producer, first, count);
                if self.is_known(run) {
                    self.receive(run, again);
                    hand.runs.push(run);
                }
            }
            Note::Released { count } => {
                self.release(&hand.runs, count);
                *hand = Hand::default();
            }
            Note::Bad { first, second } => {
                self.verdict.items.torn += 1;
                self.wrong(&format!(
                    "an item that nobody pushed so, or that was cut from its run: {first:#x} {second:#x}"
                ));
            }
            _ => {}
        }
    }

    /// What was taken is done with; what was held would have been released.
    fn settle(&mut self, hand: &[Run]) {
        self.each(hand, |fate, _| fate.done = fate.done.saturating_add(1));
    }

    /// The first `count` are done with, the others go back.
    fn release(&mut self, hand: &[Run], count: u32) {
        let count = u64::from(count);
        self.each(hand, |fate, index| {
            let slot = if index < count {
                &mut fate.done
            } else {
                &mut fate.returned
            };
            *slot = slot.saturating_add(1);
        });
        if self.terms.kind == Kind::Mpmc {
            return; // they come again to somebody, who is told so
        }
        let mut index = 0;
        for (producer, first, len) in hand {
            for number in *first..first + u64::from(*len) {
                if index >= count {
                    let next = self.next.entry(*producer).or_insert(number);
                    *next = (*next).min(number);
                }
                index += 1;
            }
        }
    }

    /// Does something to each item in hand, which is told its place there.
    fn each(&mut self, hand: &[Run], mut apply: impl FnMut(&mut Fate, u64)) {
        let mut index = 0;
        for (producer, first, count) in hand {
            let feed = self.feeds.get_mut(producer);
            let fates = feed.map(|feed| &mut feed.fates[*first as usize..][..*count as usize]);
            for fate in fates.into_iter().flatten() {
                apply(fate, index);
                index += 1;
            }
        }
    }

    /// Whether there can be such items at all.
    fn is_known(&mut self, (producer, first, count): Run) -> bool {
        let end = first + u64::from(count);
        let pushed = self
            .feeds
            .get(&producer)
            .map(|feed| feed.fates.len() as u64);
        match pushed {
            Some(pushed) if end <= pushed => return true,
            Some(pushed) => self.wrong(&format!(
                "items {first} to {end} of producer #{producer}, which pushed {pushed} at most"
            )),
            None => self.wrong(&format!(
                "items of a producer #{producer} that there is not"
            )),
        }
        self.verdict.items.torn += u64::from(count);
        false
    }

    /// Items come, as new ones or again.
    fn receive(&mut self, run: Run, again: bool) {
        let (producer, first, count) = run;
        let end = first + u64::from(count);
        if again {
            self.each(&[run], |fate, _| fate.again = fate.again.saturating_add(1));
            self.verdict.items.delivered_again += u64::from(count);
            return;
        }
        let mut twice = 0;
        self.each(&[run], |fate, _| {
            fate.new = fate.new.saturating_add(1);
            twice += u64::from(fate.new > 1);
        });
        if twice > 0 && self.terms.kind == Kind::Mpmc {
            self.verdict.items.duplicated += twice;
            self.wrong(&format!(
                "items {first} to {end} of producer #{producer} came once more, and as new ones"
            ));
        }
        self.follow(producer, first, end);
    }

    /// New items of a producer come in order.
    fn follow(&mut self, producer: u32, first: u64, end: u64) {
        let next = self.next.insert(producer, end).unwrap_or(0);
        if first < next {
            self.verdict.items.out_of_order += 1;
            self.wrong(&format!(
                "item {first} of producer #{producer} came after item {}",
                next - 1
            ));
        }
    }

    /// What is left of it all.
    pub(super) fn close(mut self) -> Verdict {
        let mut missing = Vec::new();
        let mut feeds: Vec<_> = std::mem::take(&mut self.feeds).into_iter().collect();
        feeds.sort_by_key(|(id, _)| *id);
        for (id, feed) in &feeds {
            self.reader = format!("producer #{id} (pid {})", feed.pid);
            self.account(feed, &mut missing);
        }
        self.excuse(&missing);
        if self.returns > self.unnoted {
            let (came, unnoted) = (self.returns, self.unnoted);
            self.reader = "all consumers".to_owned();
            self.verdict.items.duplicated += came - unnoted;
            self.wrong(&format!(
                "{came} items came again that nobody had given back, and the dead had {unnoted} in hand at most"
            ));
        }
        self.verdict
    }

    /// What became of each item of one producer.
    fn account(&mut self, feed: &Feed, missing: &mut Vec<String>) {
        let pushed = feed.pushed();
        let items = &mut self.verdict.items;
        items.pushed += pushed;
        let mut twice = None;
        for (number, fate) in feed.fates[..pushed as usize].iter().enumerate() {
            let given_back = fate.doubtful.saturating_add(fate.returned);
            self.returns += u64::from(fate.again.saturating_sub(given_back));
            match fate.done {
                0 if fate.doubtful > 0 => items.gone_with_the_dead += 1,
                0 => missing.push(format!("{}: item {number} never came", self.reader)),
                done => {
                    items.delivered += 1;
                    items.duplicated += u64::from(done - 1);
                    twice = twice.or((done > 1).then_some(number));
                    let untold = self.terms.kind != Kind::Mpmc;
                    items.delivered_again += u64::from(given_back > 0 && untold);
                }
            }
        }
        if let Some(number) = twice {
            self.wrong(&format!(
                "item {number} was delivered and done with more than once"
            ));
        }
    }

    /// Of the items that never came, as many as can be explained are; the others are lost.
    fn excuse(&mut self, missing: &[String]) {
        let count = missing.len() as u64;
        let gone = count.min(self.may_be_gone());
        let room = if self.terms.removed {
            self.terms.capacity as u64
        } else {
            0
        };
        let left = (count - gone).min(room);
        let lost = count - gone - left;
        let items: &mut Items = &mut self.verdict.items;
        items.gone_with_the_dead += gone;
        items.left_in_removed += left;
        items.lost += lost;
        if lost > 0 {
            let room = WORDS.saturating_sub(self.verdict.wrong.len());
            let words = missing.iter().rev().take(room.min(lost as usize)).cloned();
            self.verdict.wrong.extend(words);
            self.reader = "all producers".to_owned();
            self.wrong(&format!(
                "{count} items never came, of which {lost} without any reason"
            ));
        }
    }

    /// How many items the dead can have taken with them besides those that they noted.
    fn may_be_gone(&self) -> u64 {
        let Terms {
            kind,
            capacity,
            hold,
            drops,
            dropped,
            ..
        } = *self.terms;
        let unnoted = self.unnoted.saturating_sub(self.returns);
        match (hold, drops && kind == Kind::Mpmc) {
            (false, _) => unnoted,
            (true, false) => 0,
            // Whoever clears up may be killed before it has counted what it dropped: one run, of 16 at most.
            (true, true) => unnoted.min(dropped + capacity.min(16) as u64),
        }
    }
}

impl Feed {
    /// How many were pushed, by what was seen of those in doubt.
    fn pushed(&self) -> u64 {
        let (certain, all) = (self.certain as usize, self.fates.len());
        let seen = self.fates[certain..].iter().rposition(|fate| fate.came());
        match seen {
            None => self.certain,
            Some(_) if self.whole => all as u64,
            Some(last) => (certain + last + 1) as u64,
        }
    }
}

fn feed(producer: &Account) -> Feed {
    let (mut certain, mut doubtful, mut whole) = (0, 0, false);
    for note in &producer.notes {
        match *note {
            Note::Push {
                first,
                count,
                whole: all,
            } => (certain, doubtful, whole) = (first, u64::from(count), all),
            Note::Pushed { upto } => (certain, doubtful) = (upto, 0),
            _ => {}
        }
    }
    let fates = vec![Fate::default(); (certain + doubtful) as usize];
    Feed {
        pid: producer.pid,
        certain,
        whole,
        fates,
    }
}
