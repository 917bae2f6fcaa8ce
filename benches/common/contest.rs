//! Rounds in which contenders take turns, and what comes out of them: rates, and ratios of the same rounds.
//!
//! The machine is never quiet. So each round begins with another contender, and a ratio is the median of the rounds'
//! ratios. Only ratios mean something elsewhere.

use std::time::Duration;

use super::machine;
use super::report::{self, Measure, Ratio, Row, Spread, Table};

/// How long a measurement is to last.
const TARGET: Duration = Duration::from_millis(100);

/// One way for items to pass.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Lets that many items pass, checks them, and returns how long it took.
    pub(crate) run: Box<dyn Fn(u64) -> Duration>,
    /// Any number of items is a multiple of this one.
    pub(crate) unit: u64,
}

/// Who is compared with whom, by place in the group.
pub(crate) struct Match {
    pub(crate) ours: usize,
    /// The best of these, by the median of its rates, is the one to compare with.
    pub(crate) theirs: Vec<usize>,
    /// The ratio to reach.
    pub(crate) goal: Option<f64>,
}

/// The contenders for the same work.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    /// What readers of the table have to know, if anything.
    pub(crate) note: &'static str,
    pub(crate) measure: Measure,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) matches: Vec<Match>,
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
    /// How many items take about as long as a measurement is to last. Each of these, too, is checked.
    fn enough(&self, quick: bool) -> u64 {
        let mut items = 4 * self.unit;
        loop {
            let time = (self.run)(items);
            if quick {
                return items;
            }
            if time > TARGET / 10 {
                let scaled = items as f64 * TARGET.as_secs_f64() / time.as_secs_f64();
                return (scaled as u64).next_multiple_of(self.unit);
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

impl Measured {
    fn note_line(&mut self) {
        let time = machine::ping_pong();
        self.line.extend(time.map(|time| time.as_nanos() as f64));
    }

    fn spread(&self, contender: usize) -> Spread {
        Spread::of(self.rates[contender].iter().copied())
    }

    fn best(&self, contenders: &[usize]) -> usize {
        let median = |one: usize| self.spread(one).median;
        let best = contenders.iter().copied();
        best.max_by(|&a, &b| median(a).total_cmp(&median(b)))
            .expect("a match has two sides")
    }
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
                let time = (self.contenders[i].run)(enough[i]);
                measured.rates[i].push(enough[i] as f64 / time.as_secs_f64());
            }
        }
        measured.note_line();
        measured
    }

    fn table(&self, measured: &Measured) -> Table {
        let row = |(i, one): (usize, &Contender)| Row {
            name: one.name,
            rate: measured.spread(i),
        };
        let line = &measured.line;
        Table {
            title: self.title,
            note: self.note,
            measure: self.measure,
            rows: self.contenders.iter().enumerate().map(row).collect(),
            line: (!line.is_empty()).then(|| Spread::of(line.iter().copied())),
        }
    }

    fn ratios(&self, measured: &Measured) -> Vec<Ratio> {
        let ratio = |one: &Match| {
            let best = measured.best(&one.theirs);
            let rounds = measured.rates[one.ours].iter().zip(&measured.rates[best]);
            let [ours, theirs] = [one.ours, best].map(|i| self.contenders[i].name);
            let chosen = if one.theirs.len() > 1 { " (best)" } else { "" };
            Ratio {
                work: self.title,
                over: format!("{ours} : {theirs}{chosen}"),
                ratio: Spread::of(rounds.map(|(ours, theirs)| ours / theirs)),
                goal: one.goal,
            }
        };
        self.matches.iter().map(ratio).collect()
    }
}

/// Measures the groups that the command line asks for, and tells what came out.
pub(crate) fn hold(introduction: &str, groups: Vec<Group>) {
    let wishes = Wishes::read();
    machine::placement(); // while nothing is pinned
    let (mut tables, mut ratios) = (Vec::new(), Vec::new());
    if !wishes.json {
        println!("{introduction}");
    }
    for group in groups {
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
    ratios.sort_by_key(|ratio| ratio.goal.is_some()); // what is wanted stands last
    if wishes.json {
        report::print_json(&tables, &ratios);
    } else {
        report::print_ratios(&ratios);
    }
}
