//! What a soak tells: the plan, progress while it works, at the end a table or JSON.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::judge::Items;
use super::plan::{Act, Epoch, Fault, LANES, Lack, Lane, Plan, Scarce};
use super::waits::Waits;
use crate::exit::Failure;
use crate::text::{columns, count, print, print_json};

/// A bar on standard error; nothing if that is no terminal.
pub(super) fn bar(deaths: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("deaths {wide_bar} {pos}/{len} {per_sec}, {eta} left");
    let bar = ProgressBar::new(deaths);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Deaths {
    pub(super) killed: u64,
    /// Of these, as they were about to begin.
    pub(super) killed_at_start: u64,
    /// Of these, as they were told to fork.
    pub(super) killed_forking: u64,
    pub(super) stopped_and_killed: u64,
    pub(super) dumped_core: u64,
    /// By a signal that should have made them dump core, where that is not allowed.
    pub(super) aborted: u64,
}

impl Deaths {
    fn all(&self) -> u64 {
        self.killed
            + self.killed_at_start
            + self.killed_forking
            + self.stopped_and_killed
            + self.dumped_core
            + self.aborted
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Forks {
    pub(super) children: u64,
    pub(super) killed: u64,
    pub(super) outlived_their_parent: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Removals {
    pub(super) semaphores: u64,
    pub(super) segments: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Limits {
    pub(super) of_processes: u64,
    pub(super) of_the_kernel: u64,
    /// For lack of the permission to change them.
    pub(super) skipped: u64,
}

/// What rings say of what they put in order.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ClearedUp {
    claims_and_turns: u64,
    items_delivered_again: u64,
    items_dropped: u64,
    slots_skipped: u64,
}

impl ClearedUp {
    pub(super) fn add(&mut self, more: &ringpipe::Tallies) {
        self.claims_and_turns += more.recovered;
        self.items_delivered_again += more.redelivered;
        self.items_dropped += more.dropped;
        self.slots_skipped += more.skipped;
    }
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    pub(super) deaths: Deaths,
    /// How often all of a role died, and the others were told before anybody came.
    pub(super) bereavements: u64,
    pub(super) stops: u64,
    pub(super) forks: Forks,
    pub(super) removals: Removals,
    pub(super) limits: Limits,
    /// How many rings were made, worked at and accounted for.
    pub(super) rounds: u64,
    pub(super) items: Items,
    pub(super) cleared_up: ClearedUp,
    pub(super) waits: Waits,
}

/// The end of it.
#[derive(Serialize)]
pub(super) struct Report {
    seed: u64,
    ok: bool,
    seconds: f64,
    deaths_in_all: u64,
    #[serde(flatten)]
    tally: Tally,
}

impl Report {
    pub(super) fn new(seed: u64, ok: bool, seconds: f64, mut tally: Tally) -> Self {
        tally.waits = tally.waits.summed_up();
        Self {
            seed,
            ok,
            seconds,
            deaths_in_all: tally.deaths.all(),
            tally,
        }
    }

    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return print_json(self);
        }
        let rows: Vec<[String; 2]> = [self.faults(), self.outcome()].concat();
        print(&columns(&rows))
    }

    fn faults(&self) -> Vec<[String; 2]> {
        let Tally {
            deaths,
            forks,
            removals,
            limits,
            ..
        } = &self.tally;
        vec![
            row("seed", self.seed.to_string()),
            row(
                "deaths",
                format!(
                    "{}: {} killed, {} killed as they began, {} as they forked, {} stopped and killed, {} dumped core, {} aborted without",
                    self.deaths_in_all,
                    deaths.killed,
                    deaths.killed_at_start,
                    deaths.killed_forking,
                    deaths.stopped_and_killed,
                    deaths.dumped_core,
                    deaths.aborted
                ),
            ),
            row(
                "losses",
                format!(
                    "{} of all of a role, told to the others",
                    self.tally.bereavements
                ),
            ),
            row("stops", format!("{} that went on", self.tally.stops)),
            row(
                "forks",
                format!(
                    "{}, of which {} were killed, {} outlived their parent",
                    forks.children, forks.killed, forks.outlived_their_parent
                ),
            ),
            row(
                "removals",
                format!(
                    "{} of semaphores, {} of segments",
                    removals.semaphores, removals.segments
                ),
            ),
            row(
                "limits",
                format!(
                    "{} of processes, {} of the kernel, {} skipped",
                    limits.of_processes, limits.of_the_kernel, limits.skipped
                ),
            ),
        ]
    }

    fn outcome(&self) -> Vec<[String; 2]> {
        let Tally {
            items,
            cleared_up,
            waits,
            ..
        } = &self.tally;
        let count = |count: u64| HumanCount(count).to_string();
        vec![
            row(
                "items",
                format!(
                    "{} pushed through {} rings, {} delivered ({} again), {} gone with the dead, {} left in removed rings",
                    count(items.pushed),
                    self.tally.rounds,
                    count(items.delivered),
                    count(items.delivered_again),
                    count(items.gone_with_the_dead),
                    count(items.left_in_removed)
                ),
            ),
            row(
                "wrong",
                format!(
                    "{} lost, {} duplicated, {} out of order, {} torn",
                    items.lost, items.duplicated, items.out_of_order, items.torn
                ),
            ),
            row(
                "cleared up",
                format!(
                    "{} claims and turns, {} items delivered again, {} dropped, {} slots skipped",
                    cleared_up.claims_and_turns,
                    cleared_up.items_delivered_again,
                    cleared_up.items_dropped,
                    cleared_up.slots_skipped
                ),
            ),
            row("longest wait", longest(waits)),
            row(
                "notice",
                format!(
                    "{:.2} ms (median) from the signal to the semaphores, {:.2} ms at most; {:.2} ms (median) to waitpid",
                    waits.notice, waits.longest_notice, waits.waitpid
                ),
            ),
            row("time", format!("{:.1} s", self.seconds)),
        ]
    }
}

fn longest(waits: &Waits) -> String {
    let longest = &waits.longest;
    format!(
        "{:.2} ms after a death ({}): {:.2} ms until the kernel told, {:.2} ms for a successor, {:.2} ms then",
        longest.milliseconds,
        longest.ring,
        longest.of_the_kernel,
        longest.for_a_successor,
        longest.of_the_ring
    )
}

fn row(what: &str, value: String) -> [String; 2] {
    [what.to_owned(), value]
}

/// A fault as `--plan` shows it.
#[derive(Serialize)]
struct Line<'a> {
    ring: &'static str,
    round: u32,
    role: &'static str,
    #[serde(flatten)]
    act: &'a Act,
}

/// What would be done.
pub(super) fn print_plan(plan: &Plan, json: bool) -> Result<(), Failure> {
    let acts = plan.acts();
    let lines = acts.iter().map(|(lane, epoch, act)| line(lane, epoch, act));
    let lines: Vec<Line<'_>> = lines.collect();
    if json {
        return print_json(&serde_json::json!({ "seed": plan.seed, "plan": lines }));
    }
    let head = ["FAULT", "RING", "ROUND", "WORKER", "AFTER", "WHAT"].map(str::to_owned);
    let rows: Vec<_> = [head].into_iter().chain(lines.iter().map(cells)).collect();
    print(&format!("seed {}\n{}", plan.seed, columns(&rows)))
}

fn line<'a>(lane: &Lane, epoch: &Epoch, act: &'a Act) -> Line<'a> {
    let role = if act.victim < lane.producers {
        "producer"
    } else {
        "consumer"
    };
    Line {
        ring: lane.name,
        round: epoch.number,
        role,
        act,
    }
}

fn cells(line: &Line<'_>) -> [String; 6] {
    [
        line.act.number.to_string(),
        line.ring.to_owned(),
        line.round.to_string(),
        format!("{} {}", line.act.victim, line.role),
        count(
            usize::try_from(line.act.after).unwrap_or(usize::MAX),
            "item",
        ),
        in_words(&line.act.fault),
    ]
}

/// What is done to the worker.
fn in_words(fault: &Fault) -> String {
    match fault {
        Fault::Kill { others } => with_others("kill it", others),
        Fault::Bereave { others } => with_others("kill its role", others),
        Fault::KillNewcomer { microseconds } => {
            format!("kill it, the next in {microseconds} us")
        }
        Fault::Stop { milliseconds } => format!("stop it for {milliseconds} ms"),
        Fault::StopAndKill { milliseconds } => format!("stop it, kill it {milliseconds} ms later"),
        Fault::Core { abort: true } => "end it by SIGABRT".to_owned(),
        Fault::Core { abort: false } => "end it by SIGTRAP".to_owned(),
        Fault::Fork { milliseconds } => format!("fork it, child ends in {milliseconds} ms"),
        Fault::ForkAndKillChild { milliseconds } => {
            format!("fork it, kill child in {milliseconds} ms")
        }
        Fault::ForkAndKillParent { milliseconds } => {
            format!("fork it, kill it in {milliseconds} ms")
        }
        Fault::KillForking { microseconds } => format!("kill it {microseconds} us into a fork"),
        Fault::Limit { lack } => match lack {
            Scarce::Memory => "kill it, the next lacks memory",
            Scarce::Files => "kill it, the next lacks files",
        }
        .to_owned(),
        Fault::KernelLimit { lack } => match lack {
            Lack::Segments => "allow no more segments",
            Lack::SegmentSize => "allow no large segments",
            Lack::Sets => "allow no more semaphore sets",
        }
        .to_owned(),
        Fault::RemoveSemaphores => "remove the semaphores".to_owned(),
        Fault::RemoveSegment => "remove the segment".to_owned(),
    }
}

fn with_others(what: &str, others: &[usize]) -> String {
    let list: Vec<_> = others.iter().map(usize::to_string).collect();
    match others {
        [] => what.to_owned(),
        [one] => format!("{what}, and worker {one}"),
        _ => format!("{what}, and workers {}", list.join(" ")),
    }
}

/// How many workers there are in all.
pub(super) fn workers() -> usize {
    LANES.iter().map(Lane::workers).sum()
}
