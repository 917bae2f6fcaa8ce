//! What is typed goes there, what is said there is shown, until either side has nothing more to say.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use ringpipe::stream::{Reader, Writer};

use super::lines::Lines;
use super::terminal::{Display, Keyboard, Terminal, Typed};
use super::{HELLO, Line};
use crate::exit::Failure;
use crate::signals::{Signals, TICK};
use crate::stream::wait;
use crate::text::{self, printable};

/// How long a name is at most.
const NAME_MAX: usize = 64;
const INPUT: &str = "read standard input";
/// How long the other side has to say its last words after this one has left.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Talks until either side leaves, at a terminal or not.
pub(super) fn talk(line: Line, name: &str, signals: &Signals) -> Result<(), Failure> {
    let (terminal, keyboard) = Terminal::open().unzip();
    let display = terminal.as_ref().map(|terminal| terminal.display.clone());
    let end = exchange(line, name, (keyboard, display), signals);
    if let Some(terminal) = terminal {
        terminal.close();
    }
    if end? == Left::Other {
        eprintln!("ringpipe: the other side has left");
    }
    Ok(())
}

/// Who has ended a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    This,
    Other,
}

fn exchange(
    line: Line,
    name: &str,
    (keyboard, display): (Option<Keyboard>, Option<Display>),
    signals: &Signals,
) -> Result<Left, Failure> {
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
        let introduction = [&HELLO[..1], on_one_line(name).as_bytes(), b"\n"].concat();
        let speaking = scope.spawn(move || {
            let mut speaker = speaker;
            speaker.say(&introduction, signals);
            match keyboard {
                Some(keyboard) => speaker.speak_at(&keyboard, signals),
                None => speaker.speak(signals),
            }
        });
        let heard = listen(reader, &speaking, display, signals);
        over.store(true, Ordering::Relaxed); // a flag alone
        let said = speaking.join().unwrap_or(Ok(()));
        // A signal may have ended this side's words first, and that the other side.
        let left = heard?;
        said.and_then(|()| signals.check()).map(|()| left)
    })
}

/// A name without what would end its line, cut to a length that leaves room for what is said.
fn on_one_line(name: &str) -> String {
    printable(name).chars().take(NAME_MAX).collect()
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

    /// Sends what is typed at a terminal.
    fn speak_at(mut self, keyboard: &Keyboard, signals: &Signals) -> Result<(), Failure> {
        while !self.is_over(signals) {
            match keyboard.next() {
                Typed::Line(line) if self.say(line.as_bytes(), signals) => {}
                Typed::Nothing => {}
                _ => break, // to nobody: the listener notices
            }
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
    display: Option<Display>,
    signals: &Signals,
) -> Result<Left, Failure> {
    let (mut lines, mut buffer) = (Lines::default(), [0; 4096]);
    let mut screen = Screen::new(display);
    let mut left = None;
    loop {
        signals.check()?;
        if speaking.is_finished() && left.get_or_insert_with(Instant::now).elapsed() > LAST_WORDS {
            return Ok(Left::This);
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => screen.show(&lines.feed(&buffer[..count]))?,
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(Failure::io("hear the other side", &error)),
        }
    }
    screen.show(lines.flush().as_slice())?;
    Ok(if speaking.is_finished() {
        Left::This
    } else {
        Left::Other
    })
}

/// Where the other side's words are shown.
struct Screen {
    /// Above the line that is typed; else on standard output.
    display: Option<Display>,
    /// What the other side is called.
    name: String,
    /// Whether it may still say so: before it says anything else.
    begins: bool,
}

impl Screen {
    fn new(display: Option<Display>) -> Self {
        Self {
            display,
            name: "they".to_owned(),
            begins: true,
        }
    }

    /// Shows lines, without what could steer the terminal.
    fn show(&mut self, lines: &[Vec<u8>]) -> Result<(), Failure> {
        for line in lines.iter().filter(|line| *line != HELLO) {
            match line.strip_prefix(&HELLO[..1]) {
                Some(name) if self.begins => {
                    let name = String::from_utf8_lossy(name);
                    self.name = on_one_line(name.trim_end_matches('\n'));
                }
                _ => self.print(&String::from_utf8_lossy(line))?,
            }
        }
        Ok(())
    }

    fn print(&mut self, line: &str) -> Result<(), Failure> {
        self.begins = false;
        let cells = line.trim_end_matches('\n').split('\t').map(printable);
        let line = cells.collect::<Vec<_>>().join("\t");
        match &self.display {
            Some(display) => {
                display.show(format!("{}: {line}\n", self.name));
                Ok(())
            }
            None => text::print(&format!("{line}\n")),
        }
    }
}

/// Whether a call is to be tried again, maybe after a look at whether all is over.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
    )
}
