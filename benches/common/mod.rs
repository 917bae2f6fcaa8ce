//! What the benchmarks share: the machine, the payload, the contenders, how two of them meet, and how it is told.
#![allow(
    dead_code,
    reason = "a module of each benchmark, none of which uses all of it"
)]

pub(crate) mod contest;
pub(crate) mod crowd;
pub(crate) mod duel;
pub(crate) mod flow;
pub(crate) mod kernel;
pub(crate) mod ledger;
pub(crate) mod machine;
pub(crate) mod pattern;
pub(crate) mod payload;
pub(crate) mod pipes;
pub(crate) mod queues;
pub(crate) mod report;
pub(crate) mod rings;
pub(crate) mod rings_mpmc;
pub(crate) mod rtrbs;
pub(crate) mod streams;
pub(crate) mod warehouse;
