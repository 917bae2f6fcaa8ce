//! What can be said on the command line, and the help that explains it.

mod feed;
mod fifo;
mod soak;
mod trust;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use ringpipe::Name;

pub(crate) use feed::{Endpoint, Recv, Send, Stay};
pub(crate) use fifo::{Cat, Chat, Mkfifo};
pub(crate) use soak::{Soak, SoakWorker};
pub(crate) use trust::Trust;

use crate::exit;
use crate::size::{parse_len, parse_size};

/// How wide the help is, on every terminal: examples and tables are laid out for it.
pub(crate) const HELP_WIDTH: usize = 80;

const NAMES: &str = "\
Names:
  /tmp/ticks     a path: a small file that leads to the ring (./id:7 for a file
                 of that name)
  key:0x2a       a System V key
  ftok:FILE:N    the key that ftok(3) makes of a file and a number
  id:123         the segment of that id, as `ringpipe ls` and `ipcs -m` show it";

/// Moves bytes between processes through shared memory, and looks after the rings of this machine.
///
/// A ring survives the death of whoever uses it: nothing hangs, nothing published is lost. A stream is a ring of bytes with the
/// rules of a FIFO.
#[derive(Debug, Parser)]
#[command(name = "ringpipe", version, after_help = format!("{NAMES}\n\n{}", exit::table()))]
#[command(disable_version_flag = true, term_width = HELP_WIDTH)]
pub(crate) struct Args {
    /// Print the version.
    #[arg(short = 'V', short_alias = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    #[command(hide = true)]
    DemoSender(DemoSender),
    Send(Send),
    Recv(Recv),
    Cat(Cat),
    Mkfifo(Mkfifo),
    Chat(Chat),
    Ls(Ls),
    Stat(Stat),
    Rm(Rm),
    Gc(Gc),
    Soak(Soak),
    #[command(hide = true)]
    SoakWorker(SoakWorker),
}

/// Move the same bytes between two processes through a ring and through a pipe, and compare.
///
/// A second process sends, this one receives and hashes. Both ways take the same chunks and are measured alike: from the
/// first byte wanted to the last byte hashed, three rounds in turn, of which the medians count.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe demo
  ringpipe demo --bytes 4G --capacity 4M
  ringpipe demo /var/log/syslog --bytes 64M --json")]
pub(crate) struct Demo {
    /// What to move: its content, repeated or cut to the wanted length [default: this program's own file].
    pub(crate) file: Option<PathBuf>,
    /// How many bytes to move in each round.
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = parse_size)]
    pub(crate) bytes: u64,
    /// How many bytes the ring holds.
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = parse_len)]
    pub(crate) capacity: usize,
    /// How many bytes are moved at a time.
    #[arg(long, value_name = "BYTES", default_value = "64K", value_parser = parse_len)]
    pub(crate) chunk: usize,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The other process of the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoSender {
    #[arg(long, value_enum)]
    pub(crate) way: Way,
    /// The ring; for a pipe, standard output is it.
    #[arg(long, value_parser = name_parser())]
    pub(crate) ring: Option<Name>,
    #[arg(long)]
    pub(crate) bytes: u64,
    #[arg(long)]
    pub(crate) chunk: usize,
    pub(crate) file: PathBuf,
}

/// How the demo moves bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    Ring,
    Pipe,
}

/// List the rings that you may read.
///
/// A line tells a ring's segment, kind, what it holds (items, or bytes of a stream), the memory it takes, owner, mode and age;
/// how many producers or writers are at its IN and how many consumers or readers at its OUT (`-` if none ever came, `end` or
/// `died` for how the last one left); and its name. A ring whose name was taken away, or which is half made or broken, is marked.
///
/// In JSON, a path that is no UTF-8 is also given as `path_bytes`, an array of numbers; else that is null.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe ls
  ringpipe ls --json | jq '.[] | select(.len > 0).name'")]
pub(crate) struct Ls {
    /// Print a JSON array.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show all that can be seen of a ring.
///
/// Of a stream, or another ring that several share, also who takes part in it: its number, role and process, how many items it has moved,
/// and whether it sleeps.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe stat /tmp/files
  ringpipe stat id:123 --json | jq .producer.alive
  ringpipe stat /tmp/jobs --json | jq '.participants[] | select(.sleeping).pid'")]
pub(crate) struct Stat {
    /// The ring.
    #[arg(value_parser = name_parser())]
    pub(crate) name: Name,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove rings, with what is in them.
///
/// Takes the name away; who has the ring open goes on with it, and its memory is freed with the last of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe rm /tmp/files
  ringpipe rm key:0x2a id:123")]
pub(crate) struct Rm {
    /// The rings.
    #[arg(required = true, value_name = "NAME", value_parser = name_parser())]
    pub(crate) names: Vec<Name>,
    /// Take away only names that lead into other IPC namespaces, such as those of containers that have
    /// ended, and touch no ring.
    #[arg(long)]
    pub(crate) other_namespace: bool,
}

/// Remove what is provably dead: half-made rings, empty rings without name and user, semaphores and names of rings
/// that are gone.
///
/// A ring with something in it stays, whoever has died.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe gc --dry-run
  ringpipe gc /tmp /run/feeds   # also names there that lead nowhere")]
pub(crate) struct Gc {
    /// Names, and folders of names, to look through for those whose ring is gone.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only tell what would be removed.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

fn name_parser() -> impl TypedValueParser<Value = Name> {
    OsStringValueParser::new().try_map(parse_name)
}

/// A name in any of its forms; what is not UTF-8 can only be a path.
fn parse_name(text: OsString) -> Result<Name, ringpipe::Error> {
    match text.into_string() {
        Ok(text) => text.parse(),
        Err(path) => Ok(Name::Path(path.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
