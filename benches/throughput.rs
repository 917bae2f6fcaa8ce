//! How many items, or bytes, pass from one side to the other in a second, and how that compares with a pipe and
//! with rtrb in the same run.
//!
//! `cargo bench --bench throughput` takes about a minute. After `--`: `--quick` passes a few thousand items by each
//! way, to see that they come whole and in order; `--json` prints one document; `--rounds N`; a word chooses the
//! tables whose title has it.
//!
//! The machine is never quiet. So the contenders take turns in each round, each round begins with another one, and
//! a ratio is the median of the rounds' ratios. Only ratios mean something elsewhere.

mod common;

use std::time::Duration;

use common::duel::{self, Ends, Laps};
use common::machine::{self, Placement};
use common::payload::{CHUNK, Line, SLICE};
use common::report::{self, Ratio, Row, Spread, Table};
use common::{pipes, rings, rtrbs};

const SMALL: usize = 256 << 10;
const MEGABYTE: usize = 1 << 20;
const LARGE: usize = 4 << 20;

/// How long a measurement is to last.
const TARGET: Duration = Duration::from_millis(100);

/// One way for items to pass.
struct Contender {
    name: &'static str,
    open: fn(usize) -> Ends,
    /// What `open` is called with: bytes for pipes, items for the others.
    capacity: usize,
    /// Items that pass before the clock starts.
    warm: u64,
}

/// A number of items that each contender's slices divide.
fn whole(items: u64) -> u64 {
    items.next_multiple_of(SLICE as u64)
}

/// A contender whose memory is warm after twice its capacity in items.
fn buffer(name: &'static str, open: fn(usize) -> Ends, items: usize) -> Contender {
    Contender {
        name,
        open,
        capacity: items,
        warm: whole(2 * items as u64),
    }
}

/// A contender that passes chunks through that many bytes.
fn stream(name: &'static str, open: fn(usize) -> Ends, bytes: usize) -> Contender {
    Contender {
        name,
        open,
        capacity: bytes,
        warm: whole(2 * (bytes / CHUNK) as u64),
    }
}

/// The contenders for the same work.
struct Group {
    title: &'static str,
    /// What an item, or chunk, weighs.
    bytes: usize,
    contenders: Vec<Contender>,
    /// Which is compared with which, by place, and the ratio to reach.
    ratios: Vec<(usize, usize, Option<f64>)>,
}

fn groups() -> Vec<Group> {
    vec![
        small_items(),
        lines(),
        small_slices(),
        line_slices(),
        streams(),
    ]
}

fn small_items() -> Group {
    Group {
        title: "8 bytes, one at a time",
        bytes: 8,
        contenders: vec![
            buffer("ring, 256 KiB", rings::single::<u64>, SMALL / 8),
            buffer("rtrb, 256 KiB", rtrbs::single::<u64>, SMALL / 8),
            buffer("pipe", |_| pipes::single::<u64>(), pipes::DEFAULT / 8),
            buffer("ring, 4 MiB", rings::single::<u64>, LARGE / 8),
            buffer("rtrb, 4 MiB", rtrbs::single::<u64>, LARGE / 8),
        ],
        ratios: vec![(0, 2, Some(50.0)), (0, 1, Some(1.0)), (3, 4, Some(1.0))],
    }
}

fn lines() -> Group {
    Group {
        title: "64 bytes, one at a time",
        bytes: 64,
        contenders: vec![
            buffer("ring, 256 KiB", rings::single::<Line>, SMALL / 64),
            buffer("rtrb, 256 KiB", rtrbs::single::<Line>, SMALL / 64),
            buffer("pipe", |_| pipes::single::<Line>(), pipes::DEFAULT / 64),
            buffer("ring, 4 MiB", rings::single::<Line>, LARGE / 64),
            buffer("rtrb, 4 MiB", rtrbs::single::<Line>, LARGE / 64),
        ],
        ratios: vec![(0, 2, None), (0, 1, Some(1.0)), (3, 4, Some(1.0))],
    }
}

fn small_slices() -> Group {
    Group {
        title: "8 bytes, 64 at a time",
        bytes: 8,
        contenders: vec![
            buffer("ring slices, 256 KiB", rings::slices::<u64>, SMALL / 8),
            buffer("ring in place, 256 KiB", rings::in_place::<u64>, SMALL / 8),
            buffer("rtrb chunks, 256 KiB", rtrbs::chunks::<u64>, SMALL / 8),
            buffer("ring slices, 4 MiB", rings::slices::<u64>, LARGE / 8),
            buffer("ring in place, 4 MiB", rings::in_place::<u64>, LARGE / 8),
            buffer("rtrb chunks, 4 MiB", rtrbs::chunks::<u64>, LARGE / 8),
        ],
        ratios: vec![(0, 2, None), (1, 2, None), (3, 5, None), (4, 5, None)],
    }
}

fn line_slices() -> Group {
    Group {
        title: "64 bytes, 64 at a time",
        bytes: 64,
        contenders: vec![
            buffer("ring slices, 256 KiB", rings::slices::<Line>, SMALL / 64),
            buffer(
                "ring in place, 256 KiB",
                rings::in_place::<Line>,
                SMALL / 64,
            ),
            buffer("rtrb chunks, 256 KiB", rtrbs::chunks::<Line>, SMALL / 64),
            buffer("ring slices, 4 MiB", rings::slices::<Line>, LARGE / 64),
            buffer("ring in place, 4 MiB", rings::in_place::<Line>, LARGE / 64),
            buffer("rtrb chunks, 4 MiB", rtrbs::chunks::<Line>, LARGE / 64),
        ],
        ratios: vec![(0, 2, None), (1, 2, None), (3, 5, None), (4, 5, None)],
    }
}

fn streams() -> Group {
    Group {
        title: "a stream of bytes, 64 KiB at a time",
        bytes: CHUNK,
        contenders: vec![
            stream("ring in place, 1 MiB", rings::stream_in_place, MEGABYTE),
            stream("ring in place, 4 MiB", rings::stream_in_place, LARGE),
            stream("ring copied, 1 MiB", rings::stream_copied, MEGABYTE),
            stream("ring copied, 4 MiB", rings::stream_copied, LARGE),
            stream("pipe, 64 KiB", pipes::stream, pipes::DEFAULT),
            stream("pipe, 1 MiB", pipes::stream, MEGABYTE),
        ],
        ratios: vec![
            (0, 4, Some(3.0)),
            (1, 4, Some(3.0)),
            (2, 4, Some(3.0)),
            (3, 4, Some(3.0)),
            (2, 5, None),
        ],
    }
}

/// What was asked for on the command line.
struct Wishes {
    quick: bool,
    json: bool,
    rounds: usize,
    word: String,
}

impl Wishes {
    fn read() -> Self {
        let mut wishes = Self {
            quick: false,
            json: false,
            rounds: 11,
            word: String::new(),
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => {} // cargo says so
                "--quick" | "--test" => wishes.quick = true,
                "--json" => wishes.json = true,
                "--rounds" => {
                    let number = args.next().and_then(|word| word.parse().ok());
                    wishes.rounds = number.filter(|&n| n > 0).expect("a number of rounds");
                }
                word => wishes.word = word.into(),
            }
        }
        if wishes.quick {
            wishes.rounds = 1;
        }
        wishes
    }
}

impl Contender {
    fn run(&self, items: u64) -> Duration {
        let laps = Laps {
            warm: self.warm,
            timed: items,
        };
        duel::run((self.open)(self.capacity), laps)
    }

    /// How many items take about as long as a measurement is to last. Each of these, too, is checked.
    fn enough(&self, quick: bool) -> u64 {
        let mut items = 4 * SLICE as u64;
        loop {
            let time = self.run(items);
            if quick {
                return items;
            }
            if time > TARGET / 10 {
                let scaled = items as f64 * TARGET.as_secs_f64() / time.as_secs_f64();
                return whole(scaled as u64);
            }
            items *= 4;
        }
    }
}

/// What a group's contenders did: items per second, by contender and round, and the line's round trips.
struct Measured {
    rates: Vec<Vec<f64>>,
    line: Vec<f64>,
}

impl Group {
    fn measure(&self, wishes: &Wishes) -> Measured {
        let count = self.contenders.len();
        let enough = self.contenders.iter().map(|one| one.enough(wishes.quick));
        let enough: Vec<u64> = enough.collect();
        let mut measured = Measured {
            rates: vec![Vec::new(); count],
            line: Vec::new(),
        };
        for round in 0..wishes.rounds {
            for turn in 0..count {
                let i = (round + turn) % count;
                measured.note_line();
                let time = self.contenders[i].run(enough[i]);
                measured.rates[i].push(enough[i] as f64 / time.as_secs_f64());
            }
        }
        measured.note_line();
        measured
    }

    fn table(&self, measured: &Measured) -> Table {
        let row = |(one, rates): (&Contender, &Vec<f64>)| {
            let rate = Spread::of(rates.iter().copied());
            Row {
                name: one.name,
                rate,
                bytes_per_second: rate.median * self.bytes as f64,
            }
        };
        let line = &measured.line;
        Table {
            title: self.title,
            rows: self
                .contenders
                .iter()
                .zip(&measured.rates)
                .map(row)
                .collect(),
            line: (!line.is_empty()).then(|| Spread::of(line.iter().copied())),
        }
    }

    fn ratios(&self, measured: &Measured) -> Vec<Ratio> {
        let ratio = |&(ours, theirs, goal): &(usize, usize, Option<f64>)| {
            let rounds = measured.rates[ours].iter().zip(&measured.rates[theirs]);
            let [ours, theirs] = [ours, theirs].map(|i| self.contenders[i].name);
            Ratio {
                work: self.title,
                over: format!("{ours} : {theirs}"),
                ratio: Spread::of(rounds.map(|(ours, theirs)| ours / theirs)),
                goal,
            }
        };
        self.ratios.iter().map(ratio).collect()
    }
}

impl Measured {
    fn note_line(&mut self) {
        let time = machine::ping_pong();
        self.line.extend(time.map(|time| time.as_nanos() as f64));
    }
}

fn main() {
    let wishes = Wishes::read();
    let (mut tables, mut ratios) = (Vec::new(), Vec::new());
    if !wishes.json {
        introduce();
    }
    for group in groups() {
        if !group.title.contains(&wishes.word) {
            continue;
        }
        let measured = group.measure(&wishes);
        let table = group.table(&measured);
        if !wishes.json {
            report::print_table(&table);
        }
        tables.push(table);
        ratios.extend(group.ratios(&measured));
    }
    if wishes.json {
        report::print_json(&tables, &ratios);
    } else {
        report::print_ratios(&ratios);
    }
}

fn introduce() {
    match machine::placement() {
        Placement::Pinned { producer, consumer } => {
            println!("producer on processor {producer}, consumer on processor {consumer}");
        }
        Placement::Alone => {
            println!("one processor only: nothing is pinned, and the figures say little");
        }
    }
}
