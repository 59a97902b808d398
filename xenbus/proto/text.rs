// SPDX-License-Identifier: GPL-2.0

//! Text that is safe to log: bounded, printable, and with no allocation.

use core::ffi::CStr;
use core::fmt::{
    self,
    Write, //
};

/// The longest part of a foreign text that is shown, in bytes.
const SHOWN: usize = 128;

/// Shows bytes that came from elsewhere: printable ASCII as it is, the rest as `\xNN`, cut short
/// with `...`.
#[derive(Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0.iter().take(SHOWN) {
            match byte {
                b'\\' => f.write_str("\\\\")?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        if self.0.len() > SHOWN {
            f.write_str("...")?;
        }
        Ok(())
    }
}

/// A text of at most `N - 1` bytes of ASCII, always followed by a NUL; what does not fit is cut
/// off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// Formats a value.
    pub fn new(value: impl fmt::Display) -> Self {
        let mut text = Self {
            bytes: [0; N],
            len: 0,
        };
        // An error means that the text was cut.
        let _ = write!(text, "{value}");
        text
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.as_c_str().to_str().unwrap_or_default()
    }

    /// The text, for C.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for byte in s.bytes() {
            // Whatever is not ASCII is not ours; NUL would end the text.
            let byte = if matches!(byte, b' '..=b'~') {
                byte
            } else {
                b'?'
            };
            let next = self.len.saturating_add(1);
            if next >= N {
                return Err(fmt::Error);
            }
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
            }
            self.len = next;
        }
        Ok(())
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R29: no line breaks, terminal escapes or floods in the log.
    #[test]
    fn foreign_text_is_escaped_and_bounded() {
        assert_eq!(
            Escaped(b"backend/vbd/3/769").to_string(),
            "backend/vbd/3/769"
        );
        assert_eq!(
            Escaped(b"a\nb\x1b[0m\0\xff\\").to_string(),
            r"a\x0ab\x1b[0m\x00\xff\\"
        );
        let long = Escaped(&[b'x'; 5000]).to_string();
        assert_eq!(long.len(), SHOWN + 3);
        assert!(long.ends_with("x..."));
    }

    #[test]
    fn text_is_cut_at_its_end() {
        let text: Text<4> = Text::new("abcdef");
        assert_eq!(text.as_str(), "abc");
        assert_eq!(text.as_c_str(), c"abc");
        assert_eq!(Text::<8>::new("a\0b\u{e9}").as_str(), "a?b??");
        assert_eq!(Text::<0>::new("a").as_str(), "");
    }
}
