//! What is measured, and how.

mod band;
pub(crate) mod contest;
mod contestants;
pub(crate) mod costs;
mod crowds;
pub(crate) mod isolated;
mod limits;
mod open_loop;
mod passing;
mod processor_time;
mod round_trip;
mod scaling;
mod streams;
mod throughput;
pub(crate) mod weather;

use std::fmt::Write;

use clap::ValueEnum;
use contest::Contest;
use contestants::Contestant;

use crate::report::table::family_name;

/// Something to know about a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Messages per second, by size
    Throughput,
    /// How long a message there and one back take, each by the clock
    RoundTrip,
    /// How long after it was due a message arrives, at fixed rates
    OpenLoop,
    /// Processor time of both sides, at full speed and at a trickle
    ProcessorTime,
    /// Several producers and consumers, up to 64 together
    Crowds,
    /// Bytes per second, by size of a write
    Streams,
    /// Our ring by capacity and by item size
    Scaling,
    /// Making, opening and leaving a ring, following the dead, and memory
    Costs,
    /// What the machine can do at all: copying, from core to core
    Limits,
}

impl What {
    pub(crate) fn contests(self) -> Vec<Contest> {
        match self {
            Self::Throughput => throughput::contests(),
            Self::RoundTrip => round_trip::contests(),
            Self::OpenLoop => open_loop::contests(),
            Self::ProcessorTime => processor_time::contests(),
            Self::Crowds => crowds::contests(),
            Self::Streams => streams::contests(),
            Self::Scaling => scaling::contests(),
            Self::Costs => Vec::new(), // no contest
            Self::Limits => limits::contests(),
        }
    }
}

/// What can be measured, and who takes part.
pub(crate) fn list() -> String {
    let mut text = String::from("what can be measured (--only):\n");
    for what in What::value_variants() {
        let value = what.to_possible_value().expect("none is hidden");
        let help = value.get_help().map(ToString::to_string);
        let _ = writeln!(
            text,
            "  {:<16} {}",
            value.get_name(),
            help.unwrap_or_default()
        );
    }
    text.push_str("who takes part:\n");
    for one in Contestant::all() {
        let (family, waits) = (family_name(one.family), one.waits);
        let _ = writeln!(text, "  {:<30} {family}; waits {waits:?}", one.name);
    }
    text
}
