//! The arguments of `soak`.

/// Kill, stop, fork and starve processes at work on rings, and account for every item.
///
/// Six rings of all kinds are worked at by 21 processes at once. They are killed, some as they begin, several at a time or while they are
/// stopped, or while they fork; made to dump core; stopped for a while; made to fork children, and those to fork theirs, that inherit their mappings; started with too little memory or too few
/// files; and rings lose their semaphores or their segment, as by `ipcrm`. Each item carries where it is from, and each process notes what it
/// does in a file that outlives it. At the end of each ring, every item must be accounted for: what a push returned for is delivered
/// once and in order, but for what a dead consumer had in hand, which comes again, is dropped or is gone, as promised.
///
/// The seed gives the same plan again: which ring, which worker, which fault, after how many items, with the same delays. How the processes run
/// between two faults is up to the kernel, and another time another: so a failure may take several runs to come again.
///
/// Where that is allowed (as root), all happens in an IPC namespace of its own, whose limits are lowered, too, and which must be empty at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ringpipe soak
  ringpipe soak --deaths 100000 --items 10000000 --json
  ringpipe soak --seed 42 --deaths 200 --plan     # what would be done to whom
  ringpipe soak --seed 42 --deaths 200            # and do it

Exit codes: 0 if every item is accounted for, nobody hung and nothing was left behind; 1 if not, with the ring, the worker
and the seed; 130 and 143 if ended by a signal, after tidying up.")]
pub(crate) struct Soak {
    /// How many processes are to die.
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) deaths: u64,
    /// How many items are to be moved, at least.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(crate) items: u64,
    /// What the plan is drawn from [default: another each time].
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Only print what would be done.
    #[arg(long)]
    pub(crate) plan: bool,
    /// How long anything may take before it is taken to hang.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) patience: u64,
    /// Stay in this IPC namespace, where `ringpipe ls` shows the rings, and leave the kernel's limits alone.
    #[arg(long)]
    pub(crate) shared: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A process that is worked with.
#[derive(Debug, clap::Args)]
pub(crate) struct SoakWorker {
    /// What it is to do, as JSON.
    pub(crate) task: String,
}
