//! What the demo tells: progress while it works, at the end a table or JSON.

use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Task;
use super::receive::rate;
use crate::exit::Failure;
use crate::text::{columns, print, print_json};

/// A bar on standard error; nothing if that is no terminal.
pub(super) fn bar(what: &'static str, bytes: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
    let bar = ProgressBar::new(bytes).with_message(what);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// One transfer.
pub(super) struct Run {
    pub(super) time: Duration,
    pub(super) hash: u64,
}

/// Everything that was found out.
#[derive(Serialize)]
pub(super) struct Report {
    file: String,
    bytes: u64,
    chunk: usize,
    capacity: usize,
    hash: String,
    ring: Figures,
    pipe: Figures,
    /// How many times the pipe's rate the ring's is.
    ratio: f64,
    shown: String,
}

/// One way's transfers.
#[derive(Serialize)]
struct Figures {
    /// The median.
    seconds: f64,
    bytes_per_second: f64,
    hash_ok: bool,
    /// Each round's seconds.
    rounds: Vec<f64>,
}

impl Figures {
    fn new(bytes: u64, expected: u64, runs: &[Run]) -> Self {
        let mut times: Vec<Duration> = runs.iter().map(|run| run.time).collect();
        let rounds = times.iter().map(Duration::as_secs_f64).collect();
        times.sort();
        let median = times[times.len() / 2];
        Self {
            seconds: median.as_secs_f64(),
            bytes_per_second: rate(bytes, median),
            hash_ok: runs.iter().all(|run| run.hash == expected),
            rounds,
        }
    }
}

impl Report {
    pub(super) fn new(task: &Task, expected: u64, ring: &[Run], pipe: &[Run]) -> Self {
        let ring = Figures::new(task.bytes, expected, ring);
        let pipe = Figures::new(task.bytes, expected, pipe);
        let mut report = Self {
            file: task.file.display().to_string(),
            bytes: task.bytes,
            chunk: task.chunk,
            capacity: task.capacity,
            hash: format!("{expected:016x}"),
            ratio: ring.bytes_per_second / pipe.bytes_per_second,
            ring,
            pipe,
            shown: String::new(),
        };
        report.shown = report.sentence();
        report
    }

    pub(super) fn all_intact(&self) -> bool {
        self.ring.hash_ok && self.pipe.hash_ok
    }

    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return print_json(self);
        }
        let head = ["WAY", "BYTES", "SECONDS", "RATE", "HASH"].map(str::to_owned);
        let rows = [
            head,
            self.row("ring", &self.ring),
            self.row("pipe", &self.pipe),
        ];
        let ratio = format!("\nring : pipe = {:.2} : 1\n{}\n", self.ratio, self.shown);
        print(&(columns(&rows) + &ratio))
    }

    fn row(&self, way: &str, figures: &Figures) -> [String; 5] {
        [
            way.to_owned(),
            BinaryBytes(self.bytes).to_string(),
            format!("{:.3}", figures.seconds),
            format!("{}/s", BinaryBytes(figures.bytes_per_second as u64)),
            if figures.hash_ok { "ok" } else { "WRONG" }.to_owned(),
        ]
    }

    fn sentence(&self) -> String {
        if !self.all_intact() {
            return "Not everything arrived as it was sent.".to_owned();
        }
        format!(
            "Two processes moved the same {} intact both ways, in chunks of at most {}; the ring holds {}, the pipe \
             is as the system gives it. Seconds are the median of {} rounds in turn, and include hashing.",
            BinaryBytes(self.bytes),
            BinaryBytes(self.chunk as u64),
            BinaryBytes(self.capacity as u64),
            self.ring.rounds.len()
        )
    }
}
