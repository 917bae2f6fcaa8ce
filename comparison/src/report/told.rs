//! Numbers as people like to read them.

/// A number with three digits or four.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Nanoseconds, in the unit that suits them.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        time if time < 1e4 => format!("{time:.0} ns"),
        time if time < 1e5 => format!("{:.1} µs", time / 1e3),
        time if time < 1e7 => format!("{:.0} µs", time / 1e3),
        time if time < 1e8 => format!("{:.1} ms", time / 1e6),
        time => format!("{:.0} ms", time / 1e6),
    }
}

/// A number of bytes.
pub(crate) fn bytes(count: f64) -> String {
    scaled(count, 1024.0, ["B", "KiB", "MiB", "GiB"])
}

/// A number of something else, in powers of two.
pub(crate) fn count(count: f64) -> String {
    scaled(count, 1024.0, ["", "Ki", "Mi", "Gi"])
        .trim_end()
        .into()
}

/// A rate.
pub(crate) fn per_second(rate: f64) -> String {
    match rate {
        rate if rate < 1e6 => format!("{:.0} k/s", rate / 1e3),
        rate => format!("{:.1} M/s", rate / 1e6),
    }
}

fn scaled(mut count: f64, step: f64, units: [&str; 4]) -> String {
    let mut unit = 0;
    while count >= step && unit + 1 < units.len() {
        count /= step;
        unit += 1;
    }
    format!("{} {}", (count * 100.0).round() / 100.0, units[unit])
}
