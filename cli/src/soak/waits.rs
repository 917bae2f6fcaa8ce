//! How long survivors waited after a death, and how much of that was the kernel's.

use std::cell::Cell;

use serde::Serialize;

use super::judge::Account;
use super::log::Note;

/// A death, or several at once, on the clock of all.
#[derive(Clone, Debug)]
pub(super) struct Death {
    pub(super) ids: Vec<u32>,
    /// The signal was sent.
    pub(super) killed: u64,
    /// The semaphores were given back, by which others can know.
    pub(super) noticed: u64,
    /// waitpid(2) told of it.
    pub(super) reaped: u64,
    /// Successors took part, if nobody was left in the role.
    pub(super) replaced: Option<u64>,
}

/// What happened when in an epoch.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) deaths: Vec<Death>,
    /// From when to when somebody was stopped.
    pub(super) stops: Vec<(u64, u64)>,
    /// How many items were told of.
    pub(super) published: Cell<u64>,
}

/// The longest wait of a survivor, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Longest {
    pub(super) ring: String,
    /// From the signal to the end of the call that waited.
    pub(super) milliseconds: f64,
    /// Of that, until the kernel told of the death.
    pub(super) of_the_kernel: f64,
    /// Of that, until a successor was there, if the role was empty.
    pub(super) for_a_successor: f64,
    /// And what is left: the ring's, and the scheduler's.
    pub(super) of_the_ring: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Waits {
    pub(super) longest: Longest,
    /// From the signal until the semaphores were given back: the median and the longest, in milliseconds.
    pub(super) notice: f64,
    pub(super) longest_notice: f64,
    /// From the signal until waitpid(2) told: the median.
    pub(super) waitpid: f64,
    #[serde(skip)]
    notices: Vec<u64>,
    #[serde(skip)]
    reaps: Vec<u64>,
}

impl Waits {
    /// Adds what happened in an epoch.
    pub(super) fn add(&mut self, ring: &str, times: &Times, accounts: &[Account]) {
        for death in &times.deaths {
            self.notices.push(death.noticed - death.killed);
            self.reaps.push(death.reaped.saturating_sub(death.killed));
        }
        for account in accounts {
            for note in &account.notes {
                if let Note::Waited { from, to } = *note
                    && let Some(wait) = times.wait(ring, account.id, from, to)
                    && wait.of_the_ring > self.longest.of_the_ring
                {
                    self.longest = wait;
                }
            }
        }
    }

    /// The figures of all that was added.
    pub(super) fn summed_up(mut self) -> Self {
        (self.notice, self.longest_notice) = median_and_most(&mut self.notices);
        self.waitpid = median_and_most(&mut self.reaps).0;
        self
    }
}

fn median_and_most(times: &mut [u64]) -> (f64, f64) {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or(0);
    (
        milliseconds(median),
        milliseconds(times.last().copied().unwrap_or(0)),
    )
}

impl Times {
    /// A wait as one for the last death that it saw; none if it saw no death, or somebody was stopped, for whom others rightly wait.
    fn wait(&self, ring: &str, who: u32, from: u64, to: u64) -> Option<Longest> {
        let meets = |begin: u64, end: u64| from <= end && begin <= to;
        if self.stops.iter().any(|(begin, end)| meets(*begin, *end)) {
            return None;
        }
        let seen = |death: &&Death| meets(death.killed, death.replaced.unwrap_or(death.noticed));
        let death = self.deaths.iter().rev().find(seen)?;
        if death.ids.contains(&who) {
            return None;
        }
        let begun = from.max(death.killed);
        let noticed = begun.max(death.noticed).min(to);
        let replaced = noticed.max(death.replaced.unwrap_or(0)).min(to);
        Some(Longest {
            ring: ring.to_owned(),
            milliseconds: milliseconds(to - begun),
            of_the_kernel: milliseconds(noticed - begun),
            for_a_successor: milliseconds(replaced - noticed),
            of_the_ring: milliseconds(to - replaced),
        })
    }
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(replaced: Option<u64>, stops: &[(u64, u64)]) -> Times {
        let millis = |time: u64| time * 1_000_000;
        let death = Death {
            ids: vec![1],
            killed: millis(100),
            noticed: millis(102),
            reaped: millis(103),
            replaced: replaced.map(millis),
        };
        Times {
            deaths: vec![death],
            stops: stops
                .iter()
                .map(|(from, to)| (millis(*from), millis(*to)))
                .collect(),
            ..Times::default()
        }
    }

    fn wait(times: &Times, who: u32) -> Option<[f64; 4]> {
        let wait = times.wait("x", who, 90_000_000, 110_000_000)?;
        let kernel = wait.of_the_kernel;
        Some([
            wait.milliseconds,
            kernel,
            wait.for_a_successor,
            wait.of_the_ring,
        ])
    }

    #[test]
    fn a_wait_is_shared_out() {
        assert_eq!(wait(&times(None, &[]), 2), Some([10.0, 2.0, 0.0, 8.0]));
        assert_eq!(wait(&times(Some(107), &[]), 2), Some([10.0, 2.0, 5.0, 3.0]));
    }

    #[test]
    fn waits_of_the_dead_and_for_the_stopped_do_not_count() {
        assert_eq!(wait(&times(None, &[]), 1), None);
        assert_eq!(wait(&times(None, &[(105, 106)]), 2), None);
        assert_eq!(
            times(None, &[]).wait("x", 2, 110_000_000, 120_000_000),
            None
        );
    }
}
