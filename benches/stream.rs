//! How many bytes flow from one process to another in a second, and how long a line takes there and back; and how that
//! compares with the kernel's pipes and sockets in the same run.
//!
//! `cargo bench --bench stream` takes about a minute. After `--`: `--quick` lets a few writes flow by each way, to
//! see that every byte comes in its turn; `--json` prints one document; `--rounds N`; a word chooses the tables whose
//! title has it.
//!
//! The contenders take turns in each round, and a ratio is the median of the rounds' ratios. Only ratios mean something
//! elsewhere.

mod common;

use common::contest::{self, Contender, Group, Match};
use common::duel::{self, Ends, Laps};
use common::machine::Placement;
use common::report::Measure;
use common::{kernel, machine, pipes, streams};

const KILOBYTE: usize = 1 << 10;
const MEGABYTE: usize = 1 << 20;

/// The stream at each capacity: its name when bytes are copied, and when they are written and read in place.
const STREAMS: [(usize, &str, &str); 4] = [
    (64 * KILOBYTE, "stream, 64 KiB", "stream in place, 64 KiB"),
    (
        256 * KILOBYTE,
        "stream, 256 KiB",
        "stream in place, 256 KiB",
    ),
    (MEGABYTE, "stream, 1 MiB", "stream in place, 1 MiB"),
    (4 * MEGABYTE, "stream, 4 MiB", "stream in place, 4 MiB"),
];

const PIPE: &str = "pipe, 64 KiB";
const LARGE_PIPE: &str = "pipe, 1 MiB";
const SOCKET: &str = "UNIX stream";
const LARGE_SOCKET: &str = "UNIX stream, larger buffer";
const VMSPLICE: &str = "vmsplice, 64 KiB";
const LARGE_VMSPLICE: &str = "vmsplice, 1 MiB";

/// What is asked for; the kernel may grant less.
const LARGE_BUFFER: usize = 2 * MEGABYTE;

const PIPES: &str = "two pipes";
const SOCKETS: &str = "UNIX stream";
const DUPLEX: &str = "stream";

/// Round trips before the clock starts.
const WARM: u64 = 200;

/// A contender that lets writes of `size` bytes flow, and whose memory is warm after twice its capacity.
fn flowing(
    name: &'static str,
    size: usize,
    capacity: usize,
    open: impl Fn() -> Ends + 'static,
) -> Contender {
    let warm = 2 * capacity.div_ceil(size) as u64;
    Contender {
        name,
        run: Box::new(move |timed| duel::run(open(), Laps { warm, timed })),
        unit: 1,
    }
}

fn echoing(name: &'static str, open: fn() -> Ends) -> Contender {
    Contender {
        name,
        run: Box::new(move |timed| duel::run(open(), Laps { warm: WARM, timed })),
        unit: 1,
    }
}

fn our_streams(size: usize) -> Vec<Contender> {
    let ways: [fn(usize, usize) -> Ends; 2] = [streams::copied, streams::in_place];
    let mut contenders = Vec::new();
    for (way, open) in ways.into_iter().enumerate() {
        for (capacity, copied, in_place) in STREAMS {
            let name = [copied, in_place][way];
            contenders.push(flowing(name, size, capacity, move || open(size, capacity)));
        }
    }
    contenders
}

fn kernel_streams(size: usize) -> Vec<Contender> {
    let of = |name, capacity, open: fn(usize, usize) -> Ends| {
        flowing(name, size, capacity, move || open(size, capacity))
    };
    vec![
        of(PIPE, pipes::DEFAULT, kernel::through_pipe),
        of(LARGE_PIPE, MEGABYTE, kernel::through_pipe),
        of(SOCKET, pipes::DEFAULT, |size, _| {
            kernel::through_socket(size)
        }),
        of(LARGE_SOCKET, LARGE_BUFFER, kernel::through_large_socket),
        of(VMSPLICE, pipes::DEFAULT, kernel::through_vmsplice),
        of(LARGE_VMSPLICE, MEGABYTE, kernel::through_vmsplice),
    ]
}

/// Who meets in a table, by name.
struct Names<'a>(&'a [Contender]);

impl Names<'_> {
    fn place(&self, name: &str) -> usize {
        let place = self.0.iter().position(|one| one.name == name);
        place.unwrap_or_else(|| panic!("{name} does not take part"))
    }

    fn over(&self, ours: &str, theirs: &[&str], goal: Option<f64>) -> Match {
        Match {
            ours: self.place(ours),
            theirs: theirs.iter().map(|name| self.place(name)).collect(),
            goal,
        }
    }
}

/// The names of the stream that users get unless they choose a capacity.
fn usual() -> (&'static str, &'static str) {
    let usual = STREAMS
        .into_iter()
        .find(|&(capacity, ..)| capacity == streams::DEFAULT_CAPACITY);
    let (_, copied, in_place) = usual.expect("the usual capacity is among those measured");
    (copied, in_place)
}

fn writes(title: &'static str, size: usize, goals: [Option<f64>; 2]) -> Group {
    let mut contenders = our_streams(size);
    contenders.extend(kernel_streams(size));
    Group {
        title,
        note: "",
        measure: Measure::Writes(size),
        matches: matches_of_writes(&Names(&contenders), goals),
        contenders,
    }
}

fn matches_of_writes(names: &Names, [pipe, socket]: [Option<f64>; 2]) -> Vec<Match> {
    let (copied, in_place) = usual();
    let (_, largest, _) = STREAMS[STREAMS.len() - 1];
    let spliced = [VMSPLICE, LARGE_VMSPLICE];
    vec![
        names.over(copied, &[PIPE], pipe),
        names.over(copied, &[SOCKET], socket),
        names.over(copied, &[LARGE_PIPE], None),
        names.over(copied, &[LARGE_SOCKET], None),
        names.over(copied, &spliced, None),
        names.over(largest, &spliced, None),
        names.over(in_place, &[PIPE], None),
        names.over(in_place, &spliced, None),
    ]
}

fn round_trips(
    title: &'static str,
    ours: fn() -> Ends,
    theirs: [fn() -> Ends; 2],
    goal: Option<f64>,
) -> Group {
    let contenders = vec![
        echoing(DUPLEX, ours),
        echoing(PIPES, theirs[0]),
        echoing(SOCKETS, theirs[1]),
    ];
    let names = Names(&contenders);
    Group {
        title,
        note: "",
        measure: Measure::RoundTrips,
        matches: vec![
            names.over(DUPLEX, &[PIPES], goal),
            names.over(DUPLEX, &[SOCKETS], None),
        ],
        contenders,
    }
}

fn groups() -> Vec<Group> {
    let mut groups = vec![
        writes("writes of 4 KiB", 4 * KILOBYTE, [None, None]),
        writes("writes of 64 KiB", 64 * KILOBYTE, [Some(6.0), Some(1.3)]),
        writes("writes of 1 MiB", MEGABYTE, [None, None]),
        round_trips(
            "64 bytes to and fro, asleep",
            streams::asleep,
            [kernel::pipes_asleep, kernel::sockets_asleep],
            Some(1.0),
        ),
    ];
    if matches!(machine::placement(), Placement::Pinned { .. }) {
        groups.push(round_trips(
            "64 bytes to and fro, spinning",
            streams::awake,
            [kernel::pipes_awake, kernel::sockets_awake],
            None,
        ));
    }
    groups
}

fn main() {
    let introduction = format!(
        "{}; a stream holds {} KiB unless told otherwise; the larger buffer of a socket has {} KiB",
        machine::introduction(),
        streams::DEFAULT_CAPACITY / KILOBYTE,
        kernel::granted(LARGE_BUFFER) / KILOBYTE
    );
    contest::hold(&introduction, groups());
}
