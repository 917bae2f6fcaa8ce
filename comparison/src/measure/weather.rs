//! What the machine did meanwhile, apart from what is measured.

use std::fs::read_to_string;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;

use crate::common::machine;

/// How many times as far apart the processors may be after a repetition as before, or the other way round.
const MOVED: f64 = 1.8;

/// How much time may be stolen during a repetition: the kernel counts it in hundredths of a second.
const STOLEN_TICKS: u64 = 2;

/// What happened during a repetition.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Weather {
    /// A cache line's round trip before it.
    #[serde(serialize_with = "nanoseconds", rename = "line_before_ns")]
    pub(crate) line_before: Option<Duration>,
    #[serde(serialize_with = "nanoseconds", rename = "line_after_ns")]
    pub(crate) line_after: Option<Duration>,
    /// Hundredths of a second, of all processors, that a hypervisor gave to others.
    pub(crate) stolen_ticks: u64,
    /// How often one of the sides was taken off its processor, warm-up included.
    pub(crate) involuntary_switches: i64,
    /// Whether the figure is to be distrusted.
    pub(crate) disturbed: bool,
}

fn nanoseconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_nanos() as u64).serialize(to)
}

impl Weather {
    /// How long a cache line takes there and back now.
    pub(crate) fn line() -> Option<Duration> {
        machine::ping_pong()
    }

    /// The line's round trip around the repetition.
    pub(crate) fn mean_line(&self) -> Option<f64> {
        let (before, after) = (self.line_before?, self.line_after?);
        Some((before + after).as_nanos() as f64 / 2.0)
    }

    fn judged(mut self) -> Self {
        let line = self.line_before.zip(self.line_after);
        let moved = line.is_some_and(|(before, after)| moved(before, after));
        self.disturbed = moved || self.stolen_ticks >= STOLEN_TICKS;
        self
    }
}

/// Whether the processors have come to be elsewhere.
fn moved(before: Duration, after: Duration) -> bool {
    let ratio = before.as_secs_f64() / after.as_secs_f64();
    !(1.0 / MOVED..MOVED).contains(&ratio)
}

/// Does the work, and says what else happened. The line's round trip before is known from the last time.
pub(crate) fn watched<R>(line_before: Option<Duration>, work: impl FnOnce() -> R) -> (R, Weather) {
    let (stolen, switches) = (stolen_ticks(), involuntary_switches());
    let result = work();
    let weather = Weather {
        involuntary_switches: involuntary_switches() - switches,
        stolen_ticks: stolen_ticks() - stolen,
        line_before,
        line_after: Weather::line(),
        disturbed: false,
    };
    (result, weather.judged())
}

fn stolen_ticks() -> u64 {
    let stat = read_to_string("/proc/stat").unwrap_or_default();
    let all = stat.lines().next().unwrap_or_default();
    // cpu user nice system idle iowait irq softirq steal
    let stolen = all.split_whitespace().nth(8);
    stolen.and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// Of this process, and of its children that have ended.
fn involuntary_switches() -> i64 {
    let of = |who| getrusage(who).map_or(0, |usage| usage.involuntary_context_switches());
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weather(before: u64, after: u64, stolen_ticks: u64) -> Weather {
        Weather {
            line_before: Some(Duration::from_nanos(before)),
            line_after: Some(Duration::from_nanos(after)),
            stolen_ticks,
            involuntary_switches: 0,
            disturbed: false,
        }
        .judged()
    }

    #[test]
    fn a_repetition_is_disturbed_when_the_processors_moved_or_were_taken_away() {
        assert!(!weather(100, 150, 1).disturbed);
        assert!(weather(100, 200, 0).disturbed);
        assert!(weather(200, 100, 0).disturbed);
        assert!(weather(100, 100, 2).disturbed);
    }
}
