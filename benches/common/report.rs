//! Medians, ratios, and how they are told: as tables or as one JSON document.

use std::fmt::Write;

/// The middle of some measurements, and their ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// # Panics
    ///
    /// When there is no figure.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Self {
            median,
            min: sorted[0],
            max: sorted[sorted.len() - 1],
        }
    }

    /// The same measurements, seen by way of a function that rises or falls throughout.
    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let [median, one, other] = [self.median, self.min, self.max].map(f);
        Self {
            median,
            min: one.min(other),
            max: one.max(other),
        }
    }

    fn json(self) -> String {
        let Self { median, min, max } = self;
        format!("{{\"median\": {median}, \"min\": {min}, \"max\": {max}}}")
    }
}

/// What was counted, and so what a table tells of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// Items of so many bytes: how many per second.
    Items(usize),
    /// Writes of so many bytes: how many bytes per second.
    Writes(usize),
    /// How long one takes.
    RoundTrips,
}

impl Measure {
    fn unit(self) -> &'static str {
        match self {
            Self::Items(_) => "million per second",
            Self::Writes(_) => "GB/s",
            Self::RoundTrips => "microseconds",
        }
    }

    /// Rates per second in this unit.
    fn told(self, rate: Spread) -> Spread {
        match self {
            Self::Items(_) => rate.map(|rate| rate / 1e6),
            Self::Writes(bytes) => rate.map(|rate| rate * bytes as f64 / 1e9),
            Self::RoundTrips => rate.map(|rate| 1e6 / rate),
        }
    }

    fn bytes_per_second(self, rate: f64) -> Option<f64> {
        match self {
            Self::Items(bytes) | Self::Writes(bytes) => Some(rate * bytes as f64),
            Self::RoundTrips => None,
        }
    }
}

/// One contender's speed.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Items, writes or round trips per second.
    pub(crate) rate: Spread,
}

/// All who did the same work.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// What readers have to know, or nothing.
    pub(crate) note: &'static str,
    pub(crate) measure: Measure,
    pub(crate) rows: Vec<Row>,
    /// Nanoseconds of a cache line's round trip before and after each measurement.
    pub(crate) line: Option<Spread>,
}

/// One contender's speed over another's, of the same rounds.
#[derive(Debug)]
pub(crate) struct Ratio {
    pub(crate) work: &'static str,
    pub(crate) over: String,
    pub(crate) ratio: Spread,
    pub(crate) goal: Option<f64>,
}

pub(crate) fn print_table(table: &Table) {
    println!("\n{}", table.title);
    let items = matches!(table.measure, Measure::Items(_));
    println!(
        "  {:<28} {:>11} {:>11} {:>11}{}",
        table.measure.unit(),
        "median",
        "min",
        "max",
        if items { "      GB/s" } else { "" }
    );
    for Row { name, rate } in &table.rows {
        let Spread { median, min, max } = table.measure.told(*rate);
        print!("  {name:<28} {median:>11.4} {min:>11.4} {max:>11.4}");
        match table.measure.bytes_per_second(rate.median) {
            Some(bytes) if items => println!(" {:>9.3}", bytes / 1e9),
            _ => println!(),
        }
    }
    if !table.note.is_empty() {
        println!("  {}", table.note);
    }
    if let Some(Spread { median, min, max }) = table.line {
        println!(
            "  a line's round trip: {median:.0} ns ({min:.0} to {max:.0}){}",
            if max > 2.0 * median || min * 2.0 < median {
                "; the processors moved: mind the spread"
            } else {
                ""
            }
        );
    }
}

pub(crate) fn print_ratios(ratios: &[Ratio]) {
    let work_width = widest(ratios.iter().map(|ratio| ratio.work));
    let over_width = widest(ratios.iter().map(|ratio| ratio.over.as_str()));
    println!(
        "\n{:<width$} {:>7} {:>7} {:>7} {:>5}",
        "ratio, round by round",
        "median",
        "min",
        "max",
        "goal",
        width = work_width + 1 + over_width
    );
    for Ratio {
        work,
        over,
        ratio: Spread { median, min, max },
        goal,
    } in ratios
    {
        let verdict = match goal {
            Some(goal) if median >= goal => format!("{goal:>5} met"),
            Some(goal) => format!("{goal:>5} missed"),
            None => format!("{:>5}", "-"),
        };
        println!(
            "{work:<work_width$} {over:<over_width$} {median:>7.2} {min:>7.2} {max:>7.2} {verdict}"
        );
    }
}

fn widest<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    words.map(str::len).max().unwrap_or(0)
}

pub(crate) fn print_json(tables: &[Table], ratios: &[Ratio]) {
    let tables: Vec<_> = tables.iter().map(table_json).collect();
    let ratios: Vec<_> = ratios.iter().map(ratio_json).collect();
    println!(
        "{{\n\"tables\": [\n{}\n],\n\"ratios\": [\n{}\n]\n}}",
        tables.join(",\n"),
        ratios.join(",\n")
    );
}

fn table_json(table: &Table) -> String {
    let mut rows = String::new();
    for (i, row) in table.rows.iter().enumerate() {
        let separator = if i == 0 { "" } else { "," };
        let (name, rate) = (row.name, row.rate.json());
        let bytes = table.measure.bytes_per_second(row.rate.median);
        let bytes = bytes.map_or("null".into(), |bytes| bytes.to_string());
        write!(
            rows,
            "{separator}\n  {{\"name\": \"{name}\", \"per_second\": {rate}, \"bytes_per_second\": {bytes}}}"
        )
        .expect("a string takes everything");
    }
    let line = table.line.map_or("null".into(), Spread::json);
    let (title, note) = (table.title, table.note);
    format!(
        "{{\"title\": \"{title}\", \"note\": \"{note}\", \"line_round_trip_ns\": {line}, \"rows\": [{rows}]}}"
    )
}

fn ratio_json(ratio: &Ratio) -> String {
    let (work, over) = (ratio.work, &ratio.over);
    let spread = ratio.ratio.json();
    let goal = ratio.goal.map_or("null".into(), |goal| goal.to_string());
    format!("{{\"work\": \"{work}\", \"over\": \"{over}\", \"ratio\": {spread}, \"goal\": {goal}}}")
}
