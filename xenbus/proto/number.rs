// SPDX-License-Identifier: GPL-2.0

//! Numbers read from xenstore, and the identifiers they stand for.
//!
//! A peer can write anything into its nodes. A number is taken only when the whole text is decimal
//! digits and the value is in the range of what it names: no sign, no space, no trailing byte, no
//! truncation.

use core::fmt;

/// Why a text is not the number that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// There is nothing, or something other than digits.
    NotANumber,
    /// The number is outside the range of what it names.
    OutOfRange,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "not a number",
            Self::OutOfRange => "out of range",
        })
    }
}

/// A grant reference: a page the peer lets us use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct GrantRef(pub u32);

/// An event channel port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Port(pub u32);

/// A domain's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct DomainId(pub u16);

impl GrantRef {
    /// Reads a grant reference; every 32-bit number is one.
    pub fn parse(text: &[u8]) -> Result<Self, NumberError> {
        parse_u32(text).map(Self)
    }
}

impl Port {
    /// One more than the highest port (`EVTCHN_FIFO_NR_CHANNELS`).
    const LIMIT: u32 = 1 << 17;

    /// Reads a port; port 0 is never bound.
    pub fn parse(text: &[u8]) -> Result<Self, NumberError> {
        match parse_u32(text)? {
            port @ 1..Self::LIMIT => Ok(Self(port)),
            _ => Err(NumberError::OutOfRange),
        }
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Reads a number of digits only.
fn parse_digits(text: &[u8], radix: u32) -> Result<u64, NumberError> {
    if text.is_empty() {
        return Err(NumberError::NotANumber);
    }
    text.iter().try_fold(0u64, |value, &byte| {
        let digit = char::from(byte)
            .to_digit(radix)
            .ok_or(NumberError::NotANumber)?;
        value
            .checked_mul(u64::from(radix))
            .and_then(|value| value.checked_add(u64::from(digit)))
            .ok_or(NumberError::OutOfRange)
    })
}

/// Reads a decimal number of at most 64 bits.
pub fn parse_u64(text: &[u8]) -> Result<u64, NumberError> {
    parse_digits(text, 10)
}

/// Reads a hexadecimal number of at most 32 bits, with no prefix.
pub fn parse_hex_u32(text: &[u8]) -> Result<u32, NumberError> {
    u32::try_from(parse_digits(text, 16)?).map_err(|_| NumberError::OutOfRange)
}

/// Reads a decimal number of at most 32 bits.
pub fn parse_u32(text: &[u8]) -> Result<u32, NumberError> {
    u32::try_from(parse_u64(text)?).map_err(|_| NumberError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::NumberError::*;
    use super::*;

    /// R28: what `sscanf` would take and a peer may not say.
    #[test]
    fn only_whole_decimal_texts_are_numbers() {
        let not_numbers: [&[u8]; 14] = [
            b"",
            b" ",
            b" 1",
            b"1 ",
            b"1\n",
            b"1\0",
            b"+1",
            b"-1",
            b"0x1",
            b"1.0",
            b"1e3",
            b"1,2",
            b"\xd9\xa1",
            b"a",
        ];
        for text in not_numbers {
            assert_eq!(parse_u64(text), Err(NotANumber), "{text:?}");
        }
    }

    #[test]
    fn ranges_end_where_the_type_does() {
        assert_eq!(parse_u64(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), Err(OutOfRange));
        assert_eq!(parse_u64(&[b'9'; 4096]), Err(OutOfRange));
        assert_eq!(parse_hex_u32(b"fFfFfFfF"), Ok(u32::MAX));
        assert_eq!(parse_hex_u32(b"100000000"), Err(OutOfRange));
        assert_eq!(parse_u32(b"4294967295"), Ok(u32::MAX));
        assert_eq!(parse_u32(b"4294967296"), Err(OutOfRange));
        assert_eq!(parse_u32(b"0769"), Ok(769));
    }

    #[test]
    fn identifiers_have_ranges_of_their_own() {
        assert_eq!(Port::parse(b"0"), Err(OutOfRange));
        assert_eq!(Port::parse(b"131071"), Ok(Port(131_071)));
        assert_eq!(Port::parse(b"131072"), Err(OutOfRange));
        assert_eq!(GrantRef::parse(b"8"), Ok(GrantRef(8)));
    }
}
