//! What the benchmarks share: the machine, the payload, the contenders, how two of them meet, and how it is told.

pub(crate) mod duel;
pub(crate) mod machine;
pub(crate) mod payload;
pub(crate) mod pipes;
pub(crate) mod report;
pub(crate) mod rings;
pub(crate) mod rtrbs;
