//! Messages that pass as fast as they can, so many that it takes a while.

use std::time::Duration;

use super::contest::{Plan, Reading, Run};
use crate::common::duel::{self, Ends, Laps};

/// How long a repetition is to last.
pub(crate) const TARGET: Duration = Duration::from_millis(100);

/// Of these many units of messages at least a repetition consists.
const FEWEST: u64 = 4;

/// Which part of a repetition's length tells how long the whole takes.
const NEAR: f64 = 0.4;

/// How many times as many are tried next, at most.
const FASTER: u64 = 16;

/// Lets messages pass and is told how many and how long.
pub(crate) struct Passing {
    pass: Box<dyn Fn(Laps) -> Duration>,
    /// Any number of messages is a multiple of this one.
    unit: u64,
    /// How many messages pass before the clock starts, if as many are timed.
    warm: u64,
    /// How many messages make a repetition, if that was said.
    fixed: Option<u64>,
    /// What to say of so many messages in that time.
    tell: Tell,
}

pub(crate) type Tell = Box<dyn Fn(u64, Duration) -> f64>;

/// Says millions per second.
pub(crate) fn millions() -> Tell {
    Box::new(|messages, time| messages as f64 / time.as_secs_f64() / 1e6)
}

/// Says how many GB/s messages of that size make.
pub(crate) fn gigabytes(size: usize) -> Tell {
    Box::new(move |messages, time| messages as f64 * size as f64 / time.as_secs_f64() / 1e9)
}

impl Passing {
    pub(crate) fn new(
        unit: u64,
        warm: u64,
        tell: Tell,
        pass: impl Fn(Laps) -> Duration + 'static,
    ) -> Self {
        Self {
            pass: Box::new(pass),
            unit,
            warm,
            fixed: None,
            tell,
        }
    }

    /// Just so many messages in each repetition, as the time they take says nothing.
    pub(crate) fn always(mut self, timed: u64) -> Self {
        self.fixed = Some(timed);
        self
    }

    /// Two sides that are connected anew for each repetition.
    pub(crate) fn duel(
        unit: u64,
        warm: u64,
        tell: Tell,
        open: impl Fn() -> Ends + 'static,
    ) -> Self {
        Self::new(unit, warm, tell, move |laps| duel::run(open(), laps))
    }

    fn plan_of(&self, timed: u64) -> Plan {
        let timed = timed.max(1).next_multiple_of(self.unit);
        let warm = self.warm.min(timed).max(timed / 10);
        Plan {
            warm: warm.next_multiple_of(self.unit),
            timed,
            rate: 0.0,
        }
    }

    /// Finds out how many messages make a repetition of that length, and how many pass in a second. Each number is tried
    /// twice, as something may have been in the way once; and the last one takes about as long as a repetition, since in a
    /// short time it is the start that takes most of it: the more so, the more take part.
    pub(crate) fn plan_for(&self, length: Duration) -> Plan {
        let mut timed = FEWEST * self.unit;
        loop {
            let try_it = || self.pass(self.plan_of(timed));
            let time = try_it().min(try_it()).as_secs_f64();
            let rate = timed as f64 / time;
            let plan = self.plan_of((rate * length.as_secs_f64()) as u64);
            if time > NEAR * length.as_secs_f64() {
                return Plan { rate, ..plan };
            }
            timed = plan.timed.min(FASTER * timed);
        }
    }

    pub(crate) fn pass(&self, plan: Plan) -> Duration {
        (self.pass)(plan.laps())
    }
}

impl Run for Passing {
    fn plan(&self, quick: bool) -> Result<Plan, String> {
        Ok(match self.fixed {
            _ if quick => self.plan_of(FEWEST * self.unit),
            Some(timed) => self.plan_of(timed),
            None => self.plan_for(TARGET),
        })
    }

    fn once(&self, plan: Plan) -> Reading {
        Reading::of((self.tell)(plan.timed, self.pass(plan)))
    }
}
