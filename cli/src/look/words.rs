//! Numbers in words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::HumanDuration;

/// `512`, `1.5K`, `16M`: bytes in at most four digits and a unit, of which each is 1024 times the one before.
pub(super) fn short_bytes(bytes: u64) -> String {
    let (mut number, mut units) = (bytes as f64, ["", "K", "M", "G", "T", "P", "E"].iter());
    let mut unit = units.next();
    while number >= 1000.0
        && let Some(next) = units.next()
    {
        (number, unit) = (number / 1024.0, Some(next));
    }
    let unit = unit.copied().unwrap_or_default();
    if unit.is_empty() || number >= 10.0 {
        format!("{number:.0}{unit}")
    } else {
        format!("{number:.1}{unit}")
    }
}

/// How long ago that was, in seconds since the epoch.
fn since(created: u64) -> Option<Duration> {
    // Whoever may write to the ring may have written any number.
    let created = UNIX_EPOCH.checked_add(Duration::from_secs(created))?;
    SystemTime::now().duration_since(created).ok()
}

/// `12s`, `5m`, `3h`, `9d`, `2y`.
pub(super) fn short_age(created: u64) -> String {
    let Some(age) = since(created) else {
        return "?".to_owned();
    };
    match age.as_secs() {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ ..3_600 => format!("{}m", seconds / 60),
        seconds @ ..86_400 => format!("{}h", seconds / 3_600),
        seconds @ ..31_536_000 => format!("{}d", seconds / 86_400),
        seconds => format!("{}y", seconds / 31_536_000),
    }
}

pub(super) fn long_age(created: u64) -> String {
    match since(created) {
        Some(age) => format!("{} ago", HumanDuration(age)),
        None => "in the future of this clock".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_short_have_few_digits() {
        let shown = [0, 999, 1000, 1024, 1536, 10 << 10, 1023 << 10, 3 << 30].map(short_bytes);
        assert_eq!(
            shown,
            ["0", "999", "1.0K", "1.0K", "1.5K", "10K", "1.0M", "3.0G"]
        );
    }

    #[test]
    fn ages_in_short_have_one_unit() {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let shown = [0, 90, 7_300, 200_000].map(|ago| short_age(now - ago));
        assert_eq!(shown[1..], ["1m", "2h", "2d"]);
        assert_eq!(short_age(now + 1_000), "?");
    }

    #[test]
    fn any_number_may_be_a_time() {
        assert!(long_age(0).ends_with(" ago"));
        for never in [i64::MAX as u64, u64::MAX] {
            assert_eq!(long_age(never), "in the future of this clock");
        }
    }
}
