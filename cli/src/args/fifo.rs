//! The arguments of the commands that do with streams what the shell does with FIFOs.

use std::path::PathBuf;

use ringpipe::Name;

use super::feed::Stay;
use super::{Trust, name_parser};
use crate::size::{parse_len, parse_mode};

/// Copy a stream to standard output, or standard input into it, as cat(1) does with a FIFO.
///
/// Waits for somebody at the other end, copies, and ends at the end of file: of a stream, when
/// nobody writes to it any more (but see `--persist` and `--keep-open`). Neither creates nor
/// removes a stream.
///
/// Where nobody reads what it writes, standard output or with `--to` the stream, it ends without a word, with
/// exit code 141: what shells say of a cat(1) that SIGPIPE has ended.
///
/// What is in a stream when its last end is closed is discarded. `send` and `recv` are for those who want more:
/// a sender that waits until all is taken, a receiver that tells an end from a death.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe mkfifo /tmp/feed
  ringpipe cat /tmp/feed | grep -i error &
  ringpipe cat --keep-open /tmp/feed >> all.log    # from writer after writer
  tail -f app.log | ringpipe cat --to /tmp/feed")]
pub(crate) struct Cat {
    /// The stream (see `ringpipe --help` for the forms of names).
    #[arg(value_parser = name_parser())]
    pub(crate) name: Name,
    /// Copy standard input into the stream.
    #[arg(long, conflicts_with_all = ["persist", "keep_open"])]
    pub(crate) to: bool,
    #[command(flatten)]
    pub(crate) stay: Stay,
    /// Show on a terminal's standard error how many bytes have moved, how fast, and for how long.
    #[arg(long)]
    pub(crate) progress: bool,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

/// Create streams, as mkfifo(1) does FIFOs.
///
/// A stream stays until `ringpipe rm` takes its name away, or `ringpipe recv` has received all from it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe mkfifo /tmp/feed
  ringpipe mkfifo -m 660 --capacity 1M /run/feeds/trades /run/feeds/quotes")]
pub(crate) struct Mkfifo {
    /// Their names: paths, or keys.
    #[arg(required = true, value_name = "PATH", value_parser = name_parser())]
    pub(crate) names: Vec<Name>,
    /// Their permission bits, whatever the umask is. Both sides need to read and write.
    #[arg(short, long, value_name = "OCTAL", default_value = "600", value_parser = parse_mode)]
    pub(crate) mode: u32,
    /// How many bytes each holds: at least 4K.
    #[arg(long, value_name = "BYTES", default_value = "256K", value_parser = parse_len)]
    pub(crate) capacity: usize,
    /// Create them also where the kernel frees a stream as soon as no process has it open
    /// (kernel.shm_rmid_forced = 1).
    #[arg(long)]
    pub(crate) allow_rmid_forced: bool,
    /// Give the name to a new one if it leads into another IPC namespace, such as that of a container that
    /// has ended.
    #[arg(long)]
    pub(crate) replace_other_namespace: bool,
}

/// Talk with somebody at another terminal, line by line.
///
/// Whoever comes first waits for the other; a third is refused. What you type goes to the other side with each line, and what
/// comes from there is printed. The end of your input, or of the other's, ends the chat for both.
///
/// On a terminal there is a prompt, lines can be edited, and what the other side says is printed above the line that you are
/// typing, with its name. Where input or output is no terminal, the lines alone go in and out.
///
/// Two streams carry it, PATH and PATH.back. They are gone afterwards, also if one side is killed; if both are, the
/// next chat takes over what they left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe chat /tmp/talk
  ringpipe chat --name anna /tmp/talk
  ringpipe chat --mode 666 /tmp/talk          # with another user,
  ringpipe chat --trust-uid 1000 /tmp/talk    # who trusts the first, user 1000")]
pub(crate) struct Chat {
    /// Where to meet.
    pub(crate) path: PathBuf,
    /// What the other side calls you [default: user@process].
    #[arg(short, long)]
    pub(crate) name: Option<String>,
    /// The streams' permission bits, for whoever comes first. Both sides need to read and write.
    #[arg(short, long, value_name = "OCTAL", default_value = "600", value_parser = parse_mode)]
    pub(crate) mode: u32,
    #[command(flatten)]
    pub(crate) trust: Trust,
}
