//! Numbers as people type them: sizes with a suffix, permission bits in octal.

use std::num::IntErrorKind;

use crate::stream::{SIZES, no_such_size};

/// What a size looks like.
const SIZE: &str = "it takes a whole number of bytes, such as 65536, 64K or 1.5M; the units are K, M, G and T, \
    each 1024 times the one before";

/// Reads `65536`, `64K`, `64KiB`, `1.5M`, `2G`, `1T`; a suffix is a power of 1024.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let (whole, parts) = match number.split_once('.') {
        Some((_, "")) => return Err(SIZE.to_owned()),
        Some((whole, parts)) => (whole, parts),
        None => (number, ""),
    };
    let factor = factor(suffix).ok_or(SIZE)?;
    let bytes = whole.parse::<u64>().map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow => TOO_LARGE,
        _ => SIZE,
    })?;
    let size = bytes.checked_mul(factor).ok_or(TOO_LARGE)?;
    match size.checked_add(fraction(parts, factor).ok_or(SIZE)?) {
        Some(0) => Err("it must be more than 0".to_owned()),
        Some(size) => Ok(size),
        None => Err(TOO_LARGE.to_owned()),
    }
}

const TOO_LARGE: &str = "it is too large";

/// What the digits behind the point are of a unit, if that is a whole number.
fn fraction(digits: &str, unit: u64) -> Option<u64> {
    if digits.is_empty() {
        return Some(0);
    }
    let number: u128 = digits.parse().ok()?;
    let parts = 10_u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let product = number.checked_mul(unit.into())?;
    let whole = product.is_multiple_of(parts).then_some(product / parts)?;
    u64::try_from(whole).ok()
}

/// The same where it has to fit into memory.
pub(crate) fn parse_len(text: &str) -> Result<usize, String> {
    usize::try_from(parse_size(text)?).map_err(|_| TOO_LARGE.to_owned())
}

fn factor(suffix: &str) -> Option<u64> {
    let shift = match suffix.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return None,
    };
    Some(1 << shift)
}

/// Reads the size of a record, of which there are some.
pub(crate) fn parse_record(text: &str) -> Result<usize, String> {
    let size = parse_len(text)?;
    if SIZES.contains(&size) {
        Ok(size)
    } else {
        Err(no_such_size())
    }
}

/// Reads permission bits such as `660`.
pub(crate) fn parse_mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777)
        .ok_or_else(|| "it takes up to three octal digits, such as 660".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        assert_eq!(parse_size("65536"), Ok(65_536));
        assert_eq!(parse_size("64K"), Ok(65_536));
        assert_eq!(parse_size("64kib"), Ok(65_536));
        assert_eq!(parse_size("3M"), Ok(3 << 20));
        assert_eq!(parse_size("1G"), Ok(1 << 30));
        assert_eq!(parse_size("2T"), Ok(2 << 40));
    }

    #[test]
    fn sizes_may_be_fractions_of_a_unit() {
        assert_eq!(parse_size("1.5M"), Ok(3 << 19));
        assert_eq!(parse_size("0.5K"), Ok(512));
        assert_eq!(parse_size("1.0"), Ok(1));
        // A tenth of a KiB is no whole number of bytes.
        for text in ["1.5", "0.1K", "1.", ".5K", "1.5.5K", "1.+5K", "0.0"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "K",
            "-1",
            "1X",
            "0",
            "0K",
            "99999999999T",
            "99999999999999999999",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn records_are_of_some_sizes_only() {
        assert_eq!(parse_record("8"), Ok(8));
        assert_eq!(parse_record("64K"), Ok(65_536));
        for text in ["0", "7", "100", "128K"] {
            assert!(parse_record(text).is_err(), "{text}");
        }
        assert!(parse_record("100").unwrap_err().contains(" 64, 128, "));
    }

    #[test]
    fn modes_are_octal_and_have_nine_bits() {
        assert_eq!(parse_mode("660"), Ok(0o660));
        assert_eq!(parse_mode("0600"), Ok(0o600));
        for text in ["", "888", "1777", "rw"] {
            assert!(parse_mode(text).is_err(), "{text}");
        }
    }
}
