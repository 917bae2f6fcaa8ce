//! How many instructions an operation takes that need not wait, and whether they have become more.
//!
//! `cargo bench --bench instructions` counts them with callgrind, and fails if an operation takes more than were recorded, or
//! so many fewer that the record is out of date. No clock has a part in it: the numbers are the same on each run, and on a busy machine.
//!
//! The rings are in System V memory, and publishers pass the light barrier, as long as valgrind lets membarrier(2) through, as 3.19
//! does. A write to a stream asks the kernel each time whether somebody reads, since several are written to in turn, and the 2 µs for which
//! each knows are over by then.

mod callgrind;
mod cases;
mod recorded;

use std::hint::black_box;
use std::process::{Command, ExitCode};

use callgrind::Count;
use cases::{CASES, Case};
use recorded::RECORDED;

/// Makes this program do the work that is counted.
const WORK: &str = "--work";

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == WORK) {
        work();
        return ExitCode::SUCCESS;
    }
    match hindrance() {
        Some(why) => {
            println!("instructions: SKIPPED, {why}");
            ExitCode::SUCCESS
        }
        None => judge(),
    }
}

/// Why nothing can be counted here.
fn hindrance() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        Some("the record is of x86-64")
    } else if cfg!(debug_assertions) {
        Some("this build is not optimised: use cargo bench")
    } else if callgrind::version().is_none() {
        Some("there is no valgrind here")
    } else {
        None
    }
}

/// Each case twice, the second time with twice as many calls: what is there once goes off by the difference.
fn work() {
    for case in CASES {
        (case.run)(case.calls);
        (case.run)(2 * case.calls);
    }
}

/// What is counted. Not inlined, since callgrind knows it by its name.
#[inline(never)]
pub(crate) fn counted(work: &mut dyn FnMut()) {
    work();
    // Else the call is a jump, of which callgrind sees no end.
    black_box(&work);
}

/// Counts, and compares with what was recorded.
fn judge() -> ExitCode {
    let counts = callgrind::count_calls("instructions::counted", WORK).expect("a count");
    assert_eq!(counts.len(), 2 * CASES.len(), "two counts for each case");
    let counts: Vec<_> = counts.chunks(2).zip(CASES).map(for_each).collect();
    if std::env::var_os("RINGPIPE_RECORD").is_some() {
        recorded::print(&counts);
        return ExitCode::SUCCESS;
    }
    let bounds = Bounds::of_this_compiler();
    let names = CASES.iter().map(|case| case.name);
    assert!(
        names.eq(RECORDED.iter().map(|(name, _)| *name)),
        "a record of each case"
    );
    let verdicts = CASES.iter().zip(&counts).zip(RECORDED);
    let wrong = verdicts.filter(|((case, count), (_, before))| !bounds.hold(case, count, *before));
    match wrong.count() {
        0 => ExitCode::SUCCESS,
        wrong => {
            bounds.explain(wrong);
            ExitCode::FAILURE
        }
    }
}

/// Instructions of one call.
pub(crate) struct Each {
    /// In this program.
    own: f64,
    /// In the C library.
    library: f64,
}

/// What a call takes: the difference of twice as many and once as many.
fn for_each((counts, case): (&[Count], &Case)) -> Each {
    let [once, twice] = counts else {
        panic!("two counts for each case");
    };
    let each =
        |count: fn(&Count) -> u64| (count(twice) as f64 - count(once) as f64) / case.calls as f64;
    Each {
        own: each(|count| count.own),
        library: each(|count| count.libraries),
    }
}

/// What may be without anybody's looking into it.
struct Bounds {
    compiler: String,
    /// Whether it is the compiler that the record is of; others choose other instructions.
    strict: bool,
}

impl Bounds {
    /// The version that `Cargo.toml` asks for.
    const RECORDED_WITH: &str = env!("CARGO_PKG_RUST_VERSION");

    fn of_this_compiler() -> Self {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let answer = Command::new(rustc).arg("--version").output();
        let version = answer.map_or(Vec::new(), |answer| answer.stdout);
        let compiler = String::from_utf8_lossy(&version).trim().to_owned();
        let strict = compiler.starts_with(&format!("rustc {}.", Self::RECORDED_WITH));
        Self { compiler, strict }
    }

    /// Tells of a case, and whether it is as it was.
    fn hold(&self, case: &Case, count: &Each, recorded: f64) -> bool {
        let verdict = self.verdict(recorded, count.own);
        println!(
            "{:28} {:7.1} instructions, {recorded:7.1} recorded, {:7.3} for each item or byte; {:7.1} in the C library{}",
            case.name,
            count.own,
            count.own / case.items as f64,
            count.library,
            verdict.unwrap_or_default(),
        );
        verdict.is_none()
    }

    fn verdict(&self, recorded: f64, now: f64) -> Option<&'static str> {
        let most = if self.strict {
            recorded * 1.02 + 1.0
        } else {
            recorded * 1.5 + 5.0
        };
        if now > most {
            Some(": MORE than recorded")
        } else if self.strict && now < recorded * 0.8 {
            Some(": FEWER than recorded")
        } else {
            None
        }
    }

    fn explain(&self, wrong: usize) {
        println!(
            "{wrong} of {} are out of bounds. The record is of Rust {}, and may be exceeded by 2 % and one instruction with \
             that version, or else by half; this is {}. If it is as it should be: \
             RINGPIPE_RECORD=1 cargo bench --bench instructions >record && mv record benches/instructions/recorded.rs",
            CASES.len(),
            Self::RECORDED_WITH,
            self.compiler,
        );
    }
}
