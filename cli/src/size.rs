//! Numbers as people type them: sizes with a suffix, permission bits in octal.

use crate::stream::{SIZES, no_such_size};

/// Reads `65536`, `64K`, `64KiB`, `1M`, `2G`, `1T`; a suffix is a power of 1024.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let number: u64 = digits
        .parse()
        .map_err(|_| "it takes a number, such as 65536 or 64K".to_owned())?;
    let factor = factor(suffix).ok_or_else(|| "its suffix must be K, M, G or T".to_owned())?;
    match number.checked_mul(factor) {
        Some(0) => Err("it must be more than 0".to_owned()),
        Some(size) => Ok(size),
        None => Err("it is too large".to_owned()),
    }
}

/// The same where it has to fit into memory.
pub(crate) fn parse_len(text: &str) -> Result<usize, String> {
    usize::try_from(parse_size(text)?).map_err(|_| "it is too large".to_owned())
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
    fn what_is_no_size_is_refused() {
        for text in ["", "K", "-1", "1.5M", "1X", "0", "0K", "99999999999T"] {
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
