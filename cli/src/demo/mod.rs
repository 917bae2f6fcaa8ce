//! The same bytes between two real processes, through a ring and through a pipe, checked and compared.
//!
//! The program starts itself as the sender. It says that it is ready by a byte on its standard output, begins when a byte
//! comes to its standard input, and then sends: into the ring, or on along its standard output, which is a pipe.

mod child;
mod content;
mod receive;
mod report;
mod sender;

pub(crate) use sender::run as send;

use std::path::{Path, PathBuf};

use crate::args::{Demo, Way};
use crate::exit::{Exit, Failure};
use crate::signals::Signals;
use content::Content;
use report::{Report, Run};

/// How often each way is measured.
const ROUNDS: usize = 3;

/// What both ways have in common.
struct Task {
    file: PathBuf,
    bytes: u64,
    chunk: usize,
    capacity: usize,
    signals: Signals,
}

/// Runs `ringpipe demo`.
pub(crate) fn run(order: &Demo) -> Result<(), Failure> {
    let task = Task {
        file: file_of(order)?,
        bytes: order.bytes,
        chunk: order.chunk,
        capacity: order.capacity,
        signals: Signals::watch()?,
    };
    let expected = Content::load(&task.file, task.bytes, task.chunk)?.hash(&task.signals)?;
    let (mut ring, mut pipe) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ring.push(transfer(Way::Ring, &task)?);
        pipe.push(transfer(Way::Pipe, &task)?);
    }
    let report = Report::new(&task, expected, &ring, &pipe);
    report.print(order.json)?;
    if report.all_intact() {
        return Ok(());
    }
    let message = "what came is not what was sent: the hashes differ (please report this, with the table above)";
    Err(Failure::new(Exit::Other, message))
}

fn file_of(order: &Demo) -> Result<PathBuf, Failure> {
    match &order.file {
        Some(file) => Ok(file.clone()),
        None => own_program(),
    }
}

fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::io("find this program's own file", &error))
}

fn transfer(way: Way, task: &Task) -> Result<Run, Failure> {
    match way {
        Way::Ring => receive::by_ring(task),
        Way::Pipe => receive::by_pipe(task),
    }
}

/// A failure to do something with a file.
fn of_file(what: &str, file: &Path, error: &std::io::Error) -> Failure {
    Failure::io(&format!("{what} {}", file.display()), error)
}
