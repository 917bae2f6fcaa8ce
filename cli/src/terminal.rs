//! A terminal as standard input: what was typed for this program is nobody else's.

use std::io::{self, IsTerminal};

use nix::sys::termios::{FlushArg, tcflush};
use nix::unistd::{getpgrp, tcgetpgrp};

/// Typing that a command takes. What it has not taken when it ends is discarded: else the shell
/// would run it.
#[derive(Debug)]
pub(crate) struct Typing {
    /// Whether it is to be discarded.
    discarded: bool,
}

impl Typing {
    /// Begins to take it, if standard input is a terminal.
    pub(crate) fn begin() -> Self {
        let discarded = io::stdin().is_terminal();
        Self { discarded }
    }

    /// Whether there is any that this may lose.
    pub(crate) fn goes_on(&self) -> bool {
        self.discarded
    }

    /// It was ended, by ^D: what follows is for others.
    pub(crate) fn end(&mut self) {
        self.discarded = false;
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        if self.discarded && is_ours() {
            let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH); // the terminal is gone, and all of it
        }
    }
}

/// Whether what is typed is for this job. The kernel stops one in the background that discards it.
/// Without a job control, it is.
fn is_ours() -> bool {
    tcgetpgrp(io::stdin()).is_err() || tcgetpgrp(io::stdin()) == Ok(getpgrp())
}
