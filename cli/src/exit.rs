//! How the program ends: every exit code, what it means, and the one message that comes with it.

use std::error::Error as _;
use std::io;
use std::process::ExitCode;

use ringpipe::{Error, Fault, Name};

use crate::args::HELP_WIDTH;
use crate::text::{printable, wrapped};

/// All ways to end. The numbers are promised to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Other = 1,
    Usage = 2,
    PeerGone = 3,
    NotFound = 4,
    Taken = 5,
    Denied = 6,
    Limit = 7,
    Unfit = 8,
    HungUp = 129,
    Interrupted = 130,
    NoReader = 141,
    Terminated = 143,
}

const ALL: [Exit; 13] = [
    Exit::Ok,
    Exit::Other,
    Exit::Usage,
    Exit::PeerGone,
    Exit::NotFound,
    Exit::Taken,
    Exit::Denied,
    Exit::Limit,
    Exit::Unfit,
    Exit::HungUp,
    Exit::Interrupted,
    Exit::NoReader,
    Exit::Terminated,
];

impl Exit {
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "all went well",
            Self::Other => "another failure, which the message explains",
            Self::Usage => "the arguments cannot be understood",
            Self::PeerGone => "the other side died, gave up or left before the end",
            Self::NotFound => "there is no such ring (any more)",
            Self::Taken => "the name, or the role in the ring, is taken",
            Self::Denied => "permission denied, or another user made the ring and is not trusted",
            Self::Limit => "a limit of the kernel is reached, or it lacks what rings need",
            Self::Unfit => {
                "not a ring, or one that is half made, corrupt, for other items or of another version"
            }
            Self::HungUp => "ended by SIGHUP",
            Self::Interrupted => "ended by SIGINT",
            Self::NoReader => {
                "nobody reads standard output, or what `cat --to` writes to, any more (as if ended by SIGPIPE)"
            }
            Self::Terminated => "ended by SIGTERM",
        }
    }

    fn of_error(error: &Error) -> Self {
        match error {
            Error::NameTaken { .. } | Error::RoleTaken { .. } | Error::Crowded { .. } => {
                Self::Taken
            }
            Error::NotFound { .. } | Error::Stale { .. } | Error::Removed => Self::NotFound,
            Error::NotARing { .. }
            | Error::NotReady { .. }
            | Error::WrongVersion { .. }
            | Error::WrongType { .. }
            | Error::Corrupt { .. } => Self::Unfit,
            Error::PermissionDenied { .. }
            | Error::ForeignOwner { .. }
            | Error::ForeignPages { .. } => Self::Denied,
            Error::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Self::Denied
            }
            Error::Limit { .. } | Error::NoUndo => Self::Limit,
            Error::BadCapacity { .. } | Error::BadName { .. } | Error::BadLimit { .. } => {
                Self::Usage
            }
            _ => Self::Other,
        }
    }
}

/// The exit codes, for `--help`.
pub(crate) fn table() -> String {
    let line = |exit: &Exit| {
        let meaning = wrapped(exit.meaning(), 7, HELP_WIDTH);
        format!("\n  {:>3}  {meaning}", *exit as u8)
    };
    let lines: String = ALL.iter().map(line).collect();
    format!("Exit codes:{lines}")
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// Empty where the exit code says it all.
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// A failed read, write or other call, and what it was for. A lost reader needs no message.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::NoReader, ""),
            io::ErrorKind::PermissionDenied => {
                Self::new(Exit::Denied, format!("cannot {what}: {error}"))
            }
            _ => Self::new(Exit::Other, format!("cannot {what}: {error}")),
        }
    }

    /// The same failure with more to say, if it says anything.
    pub(crate) fn and(mut self, more: &str) -> Self {
        if !self.message.is_empty() {
            self.message = format!("{}; {more}", self.message);
        }
        self
    }

    /// The same failure with where it happened, if it says anything.
    pub(crate) fn within(mut self, place: &str) -> Self {
        if !self.message.is_empty() {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }

    /// The same failure, which says of which ring it is.
    pub(crate) fn of_ring(self, name: &Name) -> Self {
        let name = printable(&name.to_string());
        if self.message.contains(&name) {
            self
        } else {
            self.within(&name)
        }
    }

    /// The same failure; where there is no such stream, with how to create it.
    pub(crate) fn or_create(self, name: &Name) -> Self {
        match self.exit {
            Exit::NotFound => self.and(&format!("create it with `ringpipe mkfifo {name}`")),
            _ => self,
        }
    }

    /// Whether there is more to it than the exit code.
    pub(crate) fn says_something(&self) -> bool {
        !self.message.is_empty()
    }

    /// Tells the user, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        self.tell();
        ExitCode::from(self.exit as u8)
    }

    pub(crate) fn tell(&self) {
        if !self.message.is_empty() {
            eprintln!("ringpipe: {}", self.message);
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self::new(Exit::of_error(&error), message)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let exit = match fault {
            Fault::Corrupt => Exit::Unfit,
            Fault::Removed => Exit::NotFound,
            _ => Exit::Other,
        };
        Self::new(exit, fault.to_string())
    }
}

/// All of several attempts. Failures are told of in their order, and the first of them is how it ends.
pub(crate) fn all<T>(attempts: impl Iterator<Item = Result<T, Error>>) -> Result<(), Failure> {
    let mut first = None;
    for failure in attempts.filter_map(Result::err).map(Failure::from) {
        failure.tell();
        first.get_or_insert(failure.exit);
    }
    first.map_or(Ok(()), |exit| Err(Failure::new(exit, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_code_once_in_order() {
        let table = table();
        let codes: Vec<u8> = table
            .lines()
            .skip(1)
            .filter(|line| !line.starts_with("       "))
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 129, 130, 141, 143]);
    }

    #[test]
    fn a_cause_is_told_once() {
        let name: ringpipe::Name = "/x".parse().unwrap();
        let source = ringpipe::sysv::Errno::from_raw(13);
        let failure = Failure::from(Error::PermissionDenied {
            name,
            action: "open",
            source,
        });
        assert_eq!(failure.message.matches(&source.to_string()).count(), 1);
        assert_eq!(failure.exit, Exit::Denied);
    }
}
