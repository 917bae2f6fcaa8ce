//! What is told at a terminal while bytes move, or do not: what this waits for, after a moment; and
//! on request, how far it is.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use ringpipe::Name;

use crate::text::printable;

/// How long a wait is nothing to speak of.
const SHORT: Duration = Duration::from_secs(1);
/// How often the time that has passed is shown anew.
const BEAT: Duration = Duration::from_millis(500);

const WITH_END: &str =
    "{bytes}/{total_bytes}  {bytes_per_sec}  {elapsed_precise}  {wide_bar}  {percent}%  ETA {eta}";
const WITHOUT_END: &str = "{bytes}  {bytes_per_sec}  {elapsed_precise}";

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// Somebody at the other end.
    Peer,
    /// That somebody there takes what was sent.
    Taking,
}

/// What is told.
#[derive(Debug)]
pub(super) struct Meter {
    bar: ProgressBar,
    moving: bool,
    name: String,
    /// What one at the other end is called.
    peer: &'static str,
    heard: bool,
    /// What is waited for, and since when; or that this was told.
    wait: Option<(Lack, Option<Instant>)>,
}

impl Meter {
    pub(super) fn new(name: &Name, peer: &'static str, progress: bool) -> Self {
        Self {
            bar: if progress {
                bar(WITHOUT_END)
            } else {
                ProgressBar::hidden()
            },
            moving: false,
            name: printable(&name.to_string()),
            peer,
            heard: io::stderr().is_terminal(),
            wait: None,
        }
    }

    /// It is known how many bytes there will be.
    pub(super) fn until(self, total: u64) -> Self {
        self.bar.set_length(total);
        self.bar.set_style(style(WITH_END));
        self
    }

    /// Some bytes have moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        if !self.moving {
            self.bar.reset_elapsed();
            self.moving = true;
        }
        self.bar.inc(bytes as u64);
        self.wait = None;
    }

    /// Nobody is at the other end, still.
    pub(super) fn lacks_peer(&mut self) {
        self.lacks(Lack::Peer);
    }

    /// Nobody has taken anything, still.
    pub(super) fn lacks_taking(&mut self) {
        self.lacks(Lack::Taking);
    }

    fn lacks(&mut self, lack: Lack) {
        match self.wait {
            Some((same, None)) if same == lack => {}
            Some((same, Some(since))) if same == lack => {
                if since.elapsed() >= SHORT {
                    self.wait = Some((lack, None));
                    self.tell(lack);
                }
            }
            _ => self.wait = Some((lack, Some(Instant::now()))),
        }
    }

    fn tell(&self, lack: Lack) {
        let (peer, name) = (self.peer, &self.name);
        let text = match lack {
            Lack::Peer => format!("ringpipe: waiting for a {peer} on {name}"),
            Lack::Taking => format!("ringpipe: waiting for a {peer} to take what is in {name}"),
        };
        if self.heard {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }
}

/// A bar on standard error; nothing if that is no terminal.
fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::no_length().with_style(style(template));
    let bar = bar.with_finish(ProgressFinish::Abandon);
    if !bar.is_hidden() {
        bar.enable_steady_tick(BEAT);
    }
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
