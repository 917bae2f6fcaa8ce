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

    fn json(self) -> String {
        let Self { median, min, max } = self;
        format!("{{\"median\": {median}, \"min\": {min}, \"max\": {max}}}")
    }
}

/// One contender's speed.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Items, or chunks, per second.
    pub(crate) rate: Spread,
    pub(crate) bytes_per_second: f64,
}

/// All who did the same work.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// What readers have to know, or nothing.
    pub(crate) note: &'static str,
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
    println!(
        "  {:<28} {:>11} {:>11} {:>11} {:>9}",
        "million per second", "median", "min", "max", "GB/s"
    );
    for row in &table.rows {
        let Spread { median, min, max } = row.rate;
        let [median, min, max] = [median, min, max].map(|rate| rate / 1e6);
        let gigabytes = row.bytes_per_second / 1e9;
        println!(
            "  {:<28} {median:>11.4} {min:>11.4} {max:>11.4} {gigabytes:>9.3}",
            row.name
        );
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
        let (name, rate, bytes) = (row.name, row.rate.json(), row.bytes_per_second);
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
