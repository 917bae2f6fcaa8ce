//! Where and when it was measured.

use std::fs::read_to_string;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::SystemTime;

use serde::Serialize;

use crate::common::machine::{self, Placement};

/// Above this many runnable tasks others are at work, too.
const BUSY: f64 = 0.5;

/// What readers need to know to believe a figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Circumstances {
    pub(crate) command: String,
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    pub(crate) load: f64,
    pub(crate) placement: String,
    /// The state of the source, if it is known.
    pub(crate) commit: Option<String>,
    pub(crate) warnings: Vec<String>,
}

impl Circumstances {
    /// To be called before anything is pinned.
    pub(crate) fn now() -> Self {
        let load = load();
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            command: command(),
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            processor: processor(),
            processors,
            kernel: first_line("/proc/sys/kernel/osrelease"),
            load,
            placement: machine::introduction(),
            commit: commit(),
            warnings: warnings(load),
        }
    }

    /// In one line.
    pub(crate) fn brief(&self) -> String {
        format!(
            "{}, {} processors, Linux {}",
            self.processor, self.processors, self.kernel
        )
    }
}

fn warnings(load: f64) -> Vec<String> {
    let mut warnings = Vec::new();
    if load > BUSY {
        warnings.push(format!(
            "the load average is {load}: others are at work, and what they do is measured too"
        ));
    }
    if matches!(machine::placement(), Placement::Alone) {
        warnings.push(
            "there is one processor only: both sides share it, and the figures say little".into(),
        );
    }
    warnings
}

fn command() -> String {
    let arguments = std::env::args().skip(1);
    let words = std::iter::once("cargo run --release --".to_owned()).chain(arguments);
    words.collect::<Vec<_>>().join(" ")
}

fn load() -> f64 {
    let first = first_line("/proc/loadavg");
    let word = first.split_whitespace().next().unwrap_or_default();
    word.parse().unwrap_or(0.0)
}

fn processor() -> String {
    let all = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = all.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split(": ").nth(1));
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

fn first_line(path: &str) -> String {
    let text = read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn commit() -> Option<String> {
    let describe = ["describe", "--always", "--dirty", "--exclude=*"];
    let place = env!("CARGO_MANIFEST_DIR");
    let git = Command::new("git")
        .arg("-C")
        .arg(place)
        .args(describe)
        .output()
        .ok()?;
    let name = String::from_utf8(git.stdout).ok()?.trim().to_owned();
    (git.status.success() && !name.is_empty()).then_some(name)
}
