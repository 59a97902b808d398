// SPDX-License-Identifier: GPL-2.0

//! The two layouts of a ring entry, and how a frontend names them.

use core::fmt;

use crate::text::{
    Escaped,
    Text, //
};

/// The layout of ring entries.
///
/// They differ because a 64-bit field is aligned to 4 bytes in 32-bit x86 code and to 8 bytes
/// elsewhere. Responses start alike in both and differ in the padding at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// That of a 32-bit x86 frontend.
    X86_32,
    /// That of a 64-bit frontend, and ours.
    X86_64,
}

impl Abi {
    /// Bytes from one entry to the next.
    #[inline]
    pub const fn entry_size(self) -> usize {
        match self {
            Self::X86_32 => 108,
            Self::X86_64 => 112,
        }
    }

    /// Where the 64-bit id of a request is.
    #[inline]
    pub const fn id_offset(self) -> usize {
        match self {
            Self::X86_32 => 4,
            Self::X86_64 => 8,
        }
    }

    /// Where the 64-bit sector number of a request is.
    #[inline]
    pub const fn sector_offset(self) -> usize {
        match self {
            Self::X86_32 => 12,
            Self::X86_64 => 16,
        }
    }

    /// Where the segments of a direct request are.
    #[inline]
    pub const fn segments_offset(self) -> usize {
        match self {
            Self::X86_32 => 20,
            Self::X86_64 => 24,
        }
    }
}

/// What the frontend's `protocol` node says.
///
/// Displayed in the words of xbdback(4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The node names a layout.
    Named(Abi),
    /// There is no node: the native layout, as in NetBSD and in `blkif.h`. (Linux takes it for
    /// x86_32 on x86.)
    Unspecified,
}

/// A `protocol` node that names no layout we know; holds a printable copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownProtocol(pub Text<48>);

impl Protocol {
    /// Reads the node; `None` when there is none.
    pub fn parse(node: Option<&[u8]>) -> Result<Self, UnknownProtocol> {
        match node {
            None => Ok(Self::Unspecified),
            Some(b"x86_32-abi") => Ok(Self::Named(Abi::X86_32)),
            Some(b"x86_64-abi") => Ok(Self::Named(Abi::X86_64)),
            Some(other) => Err(UnknownProtocol(Text::new(Escaped(other)))),
        }
    }

    /// The layout to use.
    #[inline]
    pub const fn abi(self) -> Abi {
        match self {
            Self::Named(abi) => abi,
            Self::Unspecified => Abi::X86_64,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(Abi::X86_32) => "x86_32-abi",
            Self::Named(Abi::X86_64) => "x86_64-abi",
            Self::Unspecified => "unspecified",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_speaks_the_words_of_the_manual_page() {
        let table: [(Option<&[u8]>, &str, Abi); 3] = [
            (Some(b"x86_32-abi"), "x86_32-abi", Abi::X86_32),
            (Some(b"x86_64-abi"), "x86_64-abi", Abi::X86_64),
            (None, "unspecified", Abi::X86_64),
        ];
        for (node, word, abi) in table {
            let protocol = Protocol::parse(node).unwrap();
            assert_eq!(protocol.to_string(), word);
            assert_eq!(protocol.abi(), abi);
        }
    }

    #[test]
    fn an_unknown_protocol_is_kept_printable_and_short() {
        let table: [(&[u8], &str); 4] = [
            (b"", ""),
            (b"x86_64-abi ", "x86_64-abi "),
            (b"arm-abi\n", r"arm-abi\x0a"),
            (&[b'z'; 9999], &"z".repeat(47)),
        ];
        for (node, shown) in table {
            assert_eq!(Protocol::parse(Some(node)).unwrap_err().0.as_str(), shown);
        }
    }

    /// A direct request is a header and eleven segments of eight bytes.
    #[test]
    fn layouts_add_up() {
        for abi in [Abi::X86_32, Abi::X86_64] {
            assert_eq!(abi.sector_offset(), abi.id_offset() + 8);
            assert_eq!(abi.segments_offset(), abi.sector_offset() + 8);
            assert_eq!(abi.entry_size(), abi.segments_offset() + 11 * 8);
        }
    }
}
