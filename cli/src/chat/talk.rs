//! What is typed goes there, what is said there is shown, until either side has nothing more to say.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use ringpipe::stream::{Reader, Writer};

use super::lines::Lines;
use super::{HELLO, Line};
use crate::exit::Failure;
use crate::signals::{Signals, TICK};
use crate::stream::wait;
use crate::text::printable;

const INPUT: &str = "read standard input";
/// How long the other side has to say its last words after this one has left.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Talks until either side leaves.
pub(super) fn talk(line: Line, signals: &Signals) -> Result<(), Failure> {
    let Line { writer, reader } = line;
    writer.set_nonblocking(false);
    reader.set_nonblocking(false);
    writer.set_write_timeout(Some(TICK));
    reader.set_read_timeout(Some(TICK));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let speaker = Speaker {
            writer,
            over: &over,
        };
        let speaking = scope.spawn(move || speaker.speak(signals));
        let heard = listen(reader, &speaking, signals);
        over.store(true, Ordering::Relaxed); // a flag alone
        let said = speaking.join().unwrap_or(Ok(()));
        // A signal may have ended this side's words first, and that the other side.
        heard.and(said).and_then(|()| signals.check())
    })
}

/// This side's words; the end of the writer is the end of them.
struct Speaker<'a> {
    writer: Writer,
    over: &'a AtomicBool,
}

impl Speaker<'_> {
    /// Sends what is typed, line by line.
    fn speak(mut self, signals: &Signals) -> Result<(), Failure> {
        let failed = |error: &io::Error| Failure::io(INPUT, error);
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        let mut input = File::from(stdin.map_err(|error| failed(&error))?);
        let (mut lines, mut buffer) = (Lines::default(), [0; 4096]);
        while !self.is_over(signals) {
            if !wait::readable_within(&input, TICK)? {
                continue;
            }
            let typed = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => lines.feed(&buffer[..count]),
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(failed(&error)),
            };
            if !typed.iter().all(|line| self.say(line, signals)) {
                return Ok(()); // to nobody: the listener notices
            }
        }
        if let Some(rest) = lines.flush() {
            self.say(&rest, signals);
        }
        Ok(())
    }

    /// Sends a line. `false` if nobody is there to hear it.
    fn say(&mut self, mut line: &[u8], signals: &Signals) -> bool {
        while !line.is_empty() && !self.is_over(signals) {
            match self.writer.write(line) {
                Ok(count) => line = &line[count..],
                Err(error) if is_passing(&error) => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn is_over(&self, signals: &Signals) -> bool {
        self.over.load(Ordering::Relaxed) || signals.check().is_err()
    }
}

/// Shows what the other side says, until it leaves; or this side does, and the other one has had time to do so too.
fn listen<T>(
    mut reader: Reader,
    speaking: &ScopedJoinHandle<'_, T>,
    signals: &Signals,
) -> Result<(), Failure> {
    let (mut lines, mut buffer) = (Lines::default(), [0; 4096]);
    let mut left = None;
    loop {
        signals.check()?;
        if speaking.is_finished() && left.get_or_insert_with(Instant::now).elapsed() > LAST_WORDS {
            return Ok(());
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => show(&lines.feed(&buffer[..count]))?,
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(Failure::io("hear the other side", &error)),
        }
    }
    show(lines.flush().as_slice())?;
    if !speaking.is_finished() {
        eprintln!("ringpipe: the other side has left");
    }
    Ok(())
}

/// Shows lines, without what could steer the terminal.
fn show(lines: &[Vec<u8>]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for line in lines.iter().filter(|line| *line != HELLO) {
        let text = String::from_utf8_lossy(line);
        let cells: Vec<_> = text
            .trim_end_matches('\n')
            .split('\t')
            .map(printable)
            .collect();
        writeln!(out, "{}", cells.join("\t"))
            .and_then(|()| out.flush())
            .map_err(|error| Failure::io("write to standard output", &error))?;
    }
    Ok(())
}

/// Whether a call is to be tried again, maybe after a look at whether all is over.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
    )
}
