//! A terminal on which two talk: a line that can be edited, and above it what the other side says.
//!
//! The editor waits for a line in a thread of its own, which ends with the process at the latest. What is to be shown
//! goes through another one, so that nobody who listens waits for an editor that does not.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use nix::sys::termios::{
    InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor, ExternalPrinter};
use signal_hook::consts::SIGINT;
use signal_hook::low_level;

use crate::signals::TICK;

const PROMPT: &str = "> ";
/// Up a line and down again: shows nothing.
const NOTHING: &str = "\u{1b}[A\n";
/// How long the last words may take to be shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// What has been typed.
pub(super) enum Typed {
    Line(String),
    /// Nothing yet.
    Nothing,
    /// The end of the input.
    End,
}

/// A terminal with an editor on it.
pub(super) struct Terminal {
    pub(super) display: Display,
    /// As the terminal was.
    before: Termios,
    over: Arc<AtomicBool>,
}

/// What is typed.
pub(super) struct Keyboard(Receiver<String>);

/// Where lines are shown above the one that is typed.
#[derive(Clone)]
pub(super) struct Display(Sender<Shown>);

enum Shown {
    Text(String),
    /// Tells when all that came before is on the terminal.
    Done(Sender<()>),
}

impl Terminal {
    /// `None` where input or output is no terminal on which lines can be edited.
    pub(super) fn open() -> Option<(Self, Keyboard)> {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        if !stdin.is_terminal() || !stdout.is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        // Pasted text is sent line by line; and nothing but the modes has to be put back at the end.
        let config = Config::builder().bracketed_paste(false);
        let config = config.auto_add_history(true).build();
        let mut editor = DefaultEditor::with_config(config).ok()?;
        let printer = editor.create_external_printer().ok()?;
        tcsetattr(&stdin, SetArg::TCSADRAIN, &raw(&before)).ok()?;
        let (line, typed) = mpsc::channel();
        let (shown, wanted) = mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        thread::spawn(move || edit(editor, &line, &ended));
        thread::spawn(move || print(printer, &wanted));
        let terminal = Self {
            display: Display(shown),
            before,
            over,
        };
        Some((terminal, Keyboard(typed)))
    }

    /// Waits until all was shown, and leaves the terminal as it was.
    pub(super) fn close(self) {
        let (done, all) = mpsc::channel();
        let _ = self.display.0.send(Shown::Done(done));
        let _ = all.recv_timeout(PATIENCE);
        let editing = !self.over.swap(true, Ordering::Relaxed); // a flag alone
        // A terminal that is gone needs neither.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
        if editing {
            let _ = io::stdout().write_all(b"\n");
        }
    }
}

impl Keyboard {
    /// Waits for a line, but not for long.
    pub(super) fn next(&self) -> Typed {
        match self.0.recv_timeout(TICK) {
            Ok(line) => Typed::Line(line),
            Err(RecvTimeoutError::Timeout) => Typed::Nothing,
            Err(RecvTimeoutError::Disconnected) => Typed::End,
        }
    }
}

impl Display {
    pub(super) fn show(&self, line: String) {
        let _ = self.0.send(Shown::Text(line)); // else the terminal is gone
    }
}

/// How the editor has the terminal while it reads a line. It gives it back in between: so that it stays as it is then, too,
/// and what is typed ahead is no line of the kernel's, this is what it finds.
fn raw(before: &Termios) -> Termios {
    let mut raw = before.clone();
    let lines = LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::IEXTEN | LocalFlags::ISIG;
    raw.local_flags.remove(lines);
    raw.input_flags.remove(InputFlags::ICRNL | InputFlags::IXON);
    raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    raw
}

/// Reads lines until the input or the chat ends.
fn edit(mut editor: DefaultEditor, line: &Sender<String>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        match editor.readline(PROMPT) {
            Ok(typed) => {
                if line.send(typed + "\n").is_err() {
                    break;
                }
            }
            Err(ReadlineError::Signal(_)) => {} // the window has another size
            Err(ReadlineError::Interrupted) => {
                // As ^C where no editor takes it.
                let _ = low_level::raise(SIGINT);
                break;
            }
            _ => break,
        }
    }
    over.store(true, Ordering::Relaxed);
}

/// Prints what is to be shown. The editor takes one text at a time: when it has taken the second nothing, all that came
/// before the first is on the terminal.
fn print(mut printer: impl ExternalPrinter, wanted: &Receiver<Shown>) {
    for shown in wanted {
        let printed = match &shown {
            Shown::Text(line) => printer.print(line.clone()),
            Shown::Done(_) => {
                let first = printer.print(NOTHING.to_owned());
                first.and_then(|()| printer.print(NOTHING.to_owned()))
            }
        };
        if printed.is_err() {
            return;
        }
        if let Shown::Done(done) = shown {
            let _ = done.send(()); // nobody waits any more
        }
    }
}
