// SPDX-License-Identifier: GPL-2.0

//! Numbers as NetBSD's tools take them: `64k`, `2x512`, `0x10000`.

use std::ops::RangeInclusive;

/// Reads a number within a range.
///
/// It is decimal, octal (`0…`) or hexadecimal (`0x…`), and may be followed by a unit: `b` for 512,
/// `k`, `m`, `g` or `t` for powers of 1024, `w` for the 4 bytes of an `int`. An `x` or a `*` between
/// two of these multiplies them.
pub fn parse(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let number = product(text).ok_or_else(|| {
        format!("'{text}' is no number, which may end with one of b, k, m, g, t, w")
    })?;
    if range.contains(&number) {
        Ok(number)
    } else {
        let (least, most) = range.into_inner();
        Err(format!("{number} is not between {least} and {most}"))
    }
}

fn product(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'0'..=b'9', ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    let end = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    // A hexadecimal `b` is a digit.
    let (digits, rest) = digits.split_at(end);
    let number = u64::from_str_radix(digits, radix).ok()?;
    let mut rest = rest.chars();
    let unit = match rest.clone().next().map(|c| c.to_ascii_lowercase()) {
        Some('b') => 512,
        Some('k') => 1 << 10,
        Some('m') => 1 << 20,
        Some('g') => 1 << 30,
        Some('t') => 1 << 40,
        Some('w') => 4,
        _ => 1,
    };
    if unit != 1 {
        rest.next();
    }
    let number = number.checked_mul(unit)?;
    match rest.next() {
        None => Some(number),
        Some('x' | '*') => number.checked_mul(product(rest.as_str())?),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_factors() {
        let table = [
            ("0", 0),
            ("65536", 65536),
            ("64k", 65536),
            ("64K", 65536),
            ("1b", 512),
            ("2m", 2 << 20),
            ("3g", 3 << 30),
            ("1t", 1 << 40),
            ("3w", 12),
            ("0x10000", 65536),
            ("0x1bk", 27 << 10),
            ("010", 8),
            ("2x512", 1024),
            ("2*3kx4", 24 << 10),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, number) in table {
            assert_eq!(parse(text, 0..=u64::MAX), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "k",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1kk",
            "1x",
            "x1",
            "0x",
            "08",
            "1.5k",
            "64kB",
            "é",
            "1é",
            "18446744073709551616",
            "16777216t",
            "4294967296x4294967296",
        ] {
            assert!(parse(text, 0..=u64::MAX).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        assert_eq!(parse("512", 512..=1024), Ok(512));
        for text in ["511", "1025"] {
            let error = parse(text, 512..=1024).unwrap_err();
            assert_eq!(error, format!("{text} is not between 512 and 1024"));
        }
    }
}
