//! The command line.

use std::fs::{File, create_dir_all};
use std::io::{self, BufWriter, Write};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::contest::{Contest, Settings};
use crate::measure::isolated::isolated;
use crate::measure::{What, costs};
use crate::report::costs::CostRow;
use crate::report::figure::Figure;
use crate::report::machine::Circumstances;
use crate::report::work::Work;
use crate::report::{self, json, plot, table};

const EXAMPLES: &str = "\
Examples:
  cargo run --release                               everything, about a quarter of an hour
  cargo run --release -- --rounds 3                 less than ten minutes
  cargo run --release -- --only throughput pipe     beside the rivals with `pipe` in their names
  cargo run --release -- --json all.json --plots .  all figures of all repetitions, and plots
  cargo run --release -- --quick                    one tiny round: checks everything, measures nothing

Exit codes: 0 all was measured and each message checked; 1 something failed or got stuck, or a message was lost,
doubled, garbled or overtaken, and the tables say where; 2 the command line is wrong.
Figures of two runs cannot be compared: only the ratios within one run mean something elsewhere.";

/// Measures ringpipe beside its rivals, in one run.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
struct Args {
    /// Rivals whose names contain one of these words; all unless told otherwise. Ours always take part
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// What to measure; everything unless told otherwise
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    only: Vec<What>,
    /// How often each is measured; everybody once in each round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000), value_name = "N")]
    rounds: u16,
    /// Write all figures to this file; `-` stands for the standard output, which then has nothing else
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw plots (SVG) into this directory
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Pass a few messages by each way, to see that they come whole and in their turn; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Tell what can be measured and who takes part
    #[arg(long)]
    list: bool,
}

pub(crate) fn run() -> ExitCode {
    let args = Args::parse();
    if args.list {
        print!("{}", crate::measure::list());
        return ExitCode::SUCCESS;
    }
    match catch_unwind(|| args.carry_out()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(why)) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE, // the panic has said why
    }
}

impl Args {
    fn carry_out(&self) -> io::Result<()> {
        // What could go wrong after a quarter of an hour goes wrong now.
        let mut document = self.json.as_deref().map(open).transpose()?;
        self.plots.as_deref().map_or(Ok(()), create_dir_all)?;
        let circumstances = Circumstances::now();
        if self.tells() {
            introduce(&circumstances);
        }
        let works = self.measure()?;
        let costs = self.costs()?;
        if let Some(document) = &mut document {
            json::write(document, &circumstances, &works, &costs)?;
        }
        if let Some(plots) = &self.plots {
            let figures = Figure::all(&works).into_iter();
            let figures = figures.chain(report::costs::figures(&costs));
            plot::draw_all(plots, &circumstances, figures)?;
        }
        if works.iter().any(Work::has_failed) || costs.iter().any(CostRow::is_wrong) {
            return Err(io::Error::other("not everything went well: see FAILED"));
        }
        Ok(())
    }

    /// Whether tables go to the standard output.
    fn tells(&self) -> bool {
        self.json.as_deref() != Some(Path::new("-"))
    }

    fn settings(&self) -> Settings {
        Settings {
            rounds: if self.quick { 1 } else { self.rounds.into() },
            quick: self.quick,
        }
    }

    fn wants(&self, what: What) -> bool {
        self.only.is_empty() || self.only.contains(&what)
    }

    /// What a ring costs apart from messages: ours alone.
    fn costs(&self) -> io::Result<Vec<CostRow>> {
        if !self.wants(What::Costs) {
            return Ok(Vec::new());
        }
        let measured = || costs::costs(self.quick).into_iter().map(CostRow::from);
        let rows: Vec<CostRow> = isolated(|| measured().collect()).map_err(io::Error::other)?;
        if self.tells() {
            io::stdout().write_all(report::costs::tables(&rows).as_bytes())?;
        }
        Ok(rows)
    }

    fn contests(&self) -> Vec<Contest> {
        let all = What::value_variants().iter();
        let all = all.filter(|&&what| self.wants(what));
        let mut contests: Vec<_> = all.flat_map(|what| what.contests()).collect();
        contests.iter_mut().for_each(|one| one.select(&self.names));
        contests
    }

    fn measure(&self) -> io::Result<Vec<Work>> {
        let (settings, contests) = (self.settings(), self.contests());
        let entries: usize = contests.iter().map(|one| one.entries.len()).sum();
        let progress = progress((entries * settings.rounds) as u64);
        let hold = |contest: Contest| {
            let work = contest.hold(&settings, &progress);
            if self.tells() {
                progress.suspend(|| io::stdout().write_all(table::of(&work).as_bytes()))?;
            }
            Ok(work)
        };
        let works = contests.into_iter().map(hold).collect();
        progress.finish_and_clear();
        works
    }
}

/// A bar that draws only when told to: a thread of its own would be one more at work, and none may be alive at a fork.
fn progress(all: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} % {eta:>4} left  {msg}");
    ProgressBar::new(all).with_style(style.expect("a template"))
}

fn open(path: &Path) -> io::Result<BufWriter<Box<dyn Write>>> {
    let to: Box<dyn Write> = if path == Path::new("-") {
        Box::new(io::stdout())
    } else {
        let named = |why| io::Error::other(format!("{}: {why}", path.display()));
        Box::new(File::create(path).map_err(named)?)
    };
    Ok(BufWriter::new(to))
}

fn introduce(circumstances: &Circumstances) {
    println!("{}\n{}", circumstances.brief(), circumstances.placement);
    println!("{}, {}", circumstances.date, circumstances.command);
    for warning in &circumstances.warnings {
        println!("WARNING: {warning}");
    }
}
