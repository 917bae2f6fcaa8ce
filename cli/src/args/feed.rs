//! The arguments of `send` and `recv`.

use ringpipe::Name;

use super::{Trust, name_parser};
use crate::size::{parse_len, parse_mode, parse_record};

/// A stream or ring, and how to make it if it does not exist.
#[derive(Debug, clap::Args)]
pub(crate) struct Endpoint {
    /// The stream, or the ring of records (see `ringpipe --help` for the forms of names).
    #[arg(value_parser = name_parser())]
    pub(crate) name: Name,
    /// How many bytes it holds, if it has to be created. A stream holds at least 4K.
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = parse_len)]
    pub(crate) capacity: usize,
    /// Its permission bits, if it has to be created. Both sides need to read and write.
    #[arg(short, long, value_name = "OCTAL", default_value = "600", value_parser = parse_mode)]
    pub(crate) mode: u32,
    /// Create the ring of records also where the kernel frees it, with what is in it, as soon as no
    /// process has it open (kernel.shm_rmid_forced = 1). Streams are created there anyway.
    #[arg(long, requires = "mpmc")]
    pub(crate) allow_rmid_forced: bool,
    /// Give the name to a new one if it leads into another IPC namespace, such as that of a container that
    /// has ended.
    #[arg(long)]
    pub(crate) replace_other_namespace: bool,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

/// How a ring is shared.
#[derive(Debug, clap::Args)]
pub(crate) struct Shared {
    /// Records of one size instead of bytes: each goes to one of the receivers, whole.
    #[arg(long, requires = "record")]
    mpmc: bool,
    /// How many bytes a record has: a power of two from 8 to 64K.
    #[arg(long, value_name = "BYTES", requires = "mpmc", value_parser = parse_record)]
    record: Option<usize>,
}

impl Shared {
    /// The size of a record, if there are records.
    pub(crate) fn size(&self) -> Option<usize> {
        self.record.filter(|_| self.mpmc)
    }
}

/// For how long one who receives stays.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Stay {
    /// Stay when a sender dies or gives up, and wait for the next one. End when senders have
    /// finished: of several, the last to leave.
    #[arg(long)]
    pub(crate) persist: bool,
    /// Stay until told to stop, by ^C or SIGTERM: also when all senders have finished.
    #[arg(long, conflicts_with = "persist")]
    pub(crate) keep_open: bool,
}

/// Copy standard input into a stream.
///
/// Either side may start first: the sender waits for a receiver. It ends when receivers have taken
/// all. If they go before that, so does the sender, with exit code 3, and what they did not take is
/// lost; if the sender is ended by a signal, the receivers learn that the end is missing. What
/// `send` or `recv` made goes with the last of them, unless that one is told to `--keep` it; what
/// `mkfifo` made stays.
///
/// Several may send into one stream, as into a FIFO: the receivers see the end when the last of them has ended. What a sender
/// reads from its input at once stays in one piece: all that is there, or as many times 4096 bytes as there is room for, up to
/// 64K. So records of a size that divides 4096 are never torn, nor are others that come one by one.
///
/// With `--mpmc`, the input is cut into records, each of which goes to one receiver, through a ring that needs no receiver yet: the
/// sender ends when all is in the ring. The records of one sender stay in order, those of several mix. An input that ends within a record
/// is an error, which receivers take for the sender's giving up, unless `--pad` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tar c . | ringpipe send /tmp/files
  ringpipe send key:0x2a --capacity 16M --mode 660 < big.log
  ringpipe send /tmp/files --progress < big.tar
  producer | ringpipe send /tmp/feed --persist    # the receiver may restart
  ringpipe send /run/feed --trust-uid 1000 < log  # user 1000 made the stream
  ringpipe send /tmp/jobs --mpmc --record 64 < jobs &   # one of several senders
  sensor | ringpipe send /tmp/readings --mpmc --record 32 --pad")]
pub(crate) struct Send {
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
    #[command(flatten)]
    pub(crate) records: Shared,
    /// Fill the last record with zeroes if the input ends within it.
    #[arg(long, requires = "mpmc")]
    pub(crate) pad: bool,
    /// Go on when the receiver is lost, and wait for the next one.
    #[arg(long)]
    pub(crate) persist: bool,
    /// Leave the stream, or a ring into which nothing was sent, where it is when this sender gives
    /// up and nobody else is there.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Show on a terminal's standard error how many bytes have moved, how fast, for how long, and
    /// for how long still if the input is a file.
    #[arg(long)]
    pub(crate) progress: bool,
}

/// Copy a stream to standard output.
///
/// Either side may start first. When all senders have ended and all is written, the stream is
/// removed. What is in it is let go only once it is written: after a crash, the next receiver goes
/// on with at most one write (64 KiB) twice, if a sender is still there. Senders are, until all is
/// taken; without them, what a lost receiver has left is gone, as with a FIFO. A stream that `send`
/// or `recv` made goes with the last of them also if that one ends early, unless it is told to
/// `--keep` it.
///
/// If a sender died or gave up, all it left is written, and the exit code is 3. That counts senders since this receiver came, one or
/// several; nobody can tell what one wanted to send that was lost before.
///
/// Several may receive from one stream: each byte goes to one of them. With `--mpmc`, they share records:
/// whoever is free takes the next, at most 4 KiB at a time. What a
/// killed receiver had not let go is written by another, so each record is written at least once, and once only if nobody
/// is killed. All end when all senders have finished and everything is written, and the first to see that removes
/// the ring. If a sender died or gave up, ever since the ring was made, they end with exit code 3 and the ring stays.
/// A receiver that may come after the end should find the ring: give `--keep` to all, and remove it with `ringpipe rm`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe recv /tmp/files | tar x
  ringpipe recv /tmp/feed --persist >> feed.log   # a sender may be killed
  ringpipe recv /tmp/feed --keep-open >> feed.log # from sender after sender
  ringpipe recv /tmp/feed --keep                  # the stream stays
  ringpipe recv /tmp/jobs --mpmc --record 64 | worker   # one of several")]
pub(crate) struct Recv {
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
    #[command(flatten)]
    pub(crate) records: Shared,
    /// Leave the stream or ring where it is, however this ends. A ring of records still says so to
    /// the next receiver, until a sender comes.
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) stay: Stay,
    /// Show on a terminal's standard error how many bytes have moved, how fast, and for how long.
    #[arg(long)]
    pub(crate) progress: bool,
}
