//! Measures ringpipe beside its rivals, in one run.

mod cli;
#[path = "../../benches/common/mod.rs"]
mod common;
mod ends;
mod measure;
mod report;
mod scheduled;
mod timing;
mod way;
mod ways;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
