//! Standard input and output of a command that moves bytes: with no buffer in between, and open.

use std::fs::{File, Metadata};
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::makedev;

use super::meter::Meter;
use super::{INPUT, OUTPUT};
use crate::exit::{Exit, Failure};
use crate::signals::Signals;
use crate::terminal::Typing;

/// Standard input, and what ends the wait for it.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) signals: Signals,
    pub(super) typing: Typing,
    pub(super) meter: Meter,
}

impl Source {
    pub(super) fn open(meter: Meter) -> Result<Self, Failure> {
        let file = unbuffered(&io::stdin(), INPUT)?;
        Ok(Self {
            signals: Signals::watch_all()?,
            typing: Typing::begin(),
            meter: match rest(&file) {
                Some(rest) => meter.until(rest),
                None => meter,
            },
            file,
        })
    }
}

/// How much of it is left to read, if it is a file on a disk.
fn rest(mut file: &File) -> Option<u64> {
    let about = file.metadata().ok().filter(Metadata::is_file)?;
    let at = file.stream_position().ok()?;
    Some(about.len().saturating_sub(at))
}

/// Standard output, and what ends the wait for it.
pub(super) struct Sink {
    pub(super) file: File,
    pub(super) signals: Signals,
    pub(super) meter: Meter,
}

impl Sink {
    pub(super) fn open(meter: Meter) -> Result<Self, Failure> {
        Ok(Self {
            signals: Signals::watch_all()?,
            file: unbuffered(&io::stdout(), OUTPUT)?,
            meter,
        })
    }
}

fn unbuffered(stream: &impl AsFd, what: &str) -> Result<File, Failure> {
    let failed = |error: &io::Error| Failure::io(what, error);
    let null = if what == INPUT {
        "`< /dev/null`"
    } else {
        "`> /dev/null`"
    };
    let file = stream.as_fd().try_clone_to_owned().map(File::from);
    let file = file.map_err(|error| failed(&error))?;
    if was_closed(&file).map_err(|error| failed(&error))? {
        let closed = io::Error::from(Errno::EBADF);
        let message =
            format!("cannot {what}: {closed}: it is closed (redirect it, if only by {null})");
        return Err(Failure::new(Exit::Other, message));
    }
    Ok(file)
}

/// Whether it was closed when the program began.
///
/// Rust's runtime puts /dev/null in the place of what is closed, and opens it to be read and
/// written. Shells open it for one of the two. Who opens it for both, by hand, is told that it is
/// closed, too: better than to lose bytes without a word.
fn was_closed(file: &File) -> io::Result<bool> {
    let about = file.metadata()?;
    if about.rdev() != makedev(1, 3) {
        return Ok(false);
    }
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    Ok(flags & OFlag::O_ACCMODE == OFlag::O_RDWR)
}
