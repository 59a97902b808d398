// SPDX-License-Identifier: GPL-2.0

//! Numbers and layouts of `blkif.h`.

use clap::ValueEnum;

use crate::peer::Peer;

/// Operations.
pub mod op {
    /// Read sectors into the segments.
    pub const READ: u8 = 0;
    /// Write the segments to sectors.
    pub const WRITE: u8 = 1;
    /// Write after everything before and before everything after.
    pub const BARRIER: u8 = 2;
    /// Make everything written so far durable.
    pub const FLUSH: u8 = 3;
    /// Reserved for a packet operation that nobody implements.
    pub const RESERVED: u8 = 4;
    /// Sectors are no longer needed.
    pub const DISCARD: u8 = 5;
    /// A read or write whose segments are listed in pages of their own.
    pub const INDIRECT: u8 = 6;
}

/// Answers.
pub mod status {
    /// Done.
    pub const OKAY: i16 = 0;
    /// Invalid or failed.
    pub const ERROR: i16 = -1;
    /// No such operation here.
    pub const EOPNOTSUPP: i16 = -2;
}

/// States of `xenbus.h`.
pub mod state {
    /// The directory is new.
    pub const INITIALISING: u32 = 1;
    /// The backend has published what it offers.
    pub const INIT_WAIT: u32 = 2;
    /// The frontend has published ring and port.
    pub const INITIALISED: u32 = 3;
    /// In use.
    pub const CONNECTED: u32 = 4;
    /// Asked to close.
    pub const CLOSING: u32 = 5;
    /// Closed.
    pub const CLOSED: u32 = 6;
}

/// Nodes in which a backend says what it offers.
pub mod offers {
    /// The most pages of a ring, as a power of two.
    pub const RING_ORDER: &str = "max-ring-page-order";
    /// The most pages of a ring, in the older scheme.
    pub const RING_PAGES: &str = "max-ring-pages";
    /// The most rings of a disk.
    pub const QUEUES: &str = "multi-queue-max-queues";
    /// The most segments of an indirect request.
    pub const INDIRECT: &str = "feature-max-indirect-segments";
    /// Grants stay mapped.
    pub const PERSISTENT: &str = "feature-persistent";
    /// Sectors can be discarded.
    pub const DISCARD: &str = "feature-discard";
    /// Sectors can be erased.
    pub const SECURE: &str = "discard-secure";
}

/// The most segments a direct request has.
pub const MAX_SEGMENTS: usize = 11;

/// Segments in one page of an indirect request's list.
pub const SEGMENTS_PER_LIST: usize = 512;

/// Pages an indirect request can list its segments in.
pub const MAX_LISTS: usize = 8;

/// Requests in a ring of one page, in both layouts; in a longer ring it is as many times more.
pub const RING_SIZE: u32 = 32;

/// What the frontend writes as `protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Abi {
    /// `x86_64-abi`.
    #[value(name = "x86_64")]
    X86_64,
    /// `x86_32-abi`.
    #[value(name = "x86_32")]
    X86_32,
    /// No `protocol` node at all.
    Unspecified,
}

impl Abi {
    /// The value of the `protocol` node, if there is one.
    pub fn protocol(self) -> Option<&'static str> {
        match self {
            Self::X86_64 => Some("x86_64-abi"),
            Self::X86_32 => Some("x86_32-abi"),
            Self::Unspecified => None,
        }
    }

    /// The layout `peer` uses for it.
    ///
    /// Without a `protocol` node blkif.h says native, and so does NetBSD; xen-blkback on x86 assumes 32 bits.
    pub fn layout(self, peer: Peer) -> Layout {
        match (self, peer) {
            (Self::X86_32, _) | (Self::Unspecified, Peer::XenBlkback) => Layout::NARROW,
            (Self::X86_64, _) | (Self::Unspecified, Peer::Xbdback) => Layout::WIDE,
        }
    }

    /// The name used on the command line and in test names.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::X86_32 => "x86_32",
            Self::Unspecified => "unspecified",
        }
    }
}

/// Where the fields of a request are. A response has `id` at 0, `operation` at 8 and `status` at 10 in both layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of a ring entry.
    pub entry: usize,
    /// Offset of the request's id.
    pub id: usize,
    /// Offset of the sector number.
    pub sector: usize,
    /// Offset of the first segment, and of a discard's sector count.
    pub tail: usize,
}

impl Layout {
    /// 64-bit frontends.
    pub const WIDE: Self = Self {
        entry: 112,
        id: 8,
        sector: 16,
        tail: 24,
    };
    /// 32-bit frontends, where a 64-bit number is aligned to 4.
    pub const NARROW: Self = Self {
        entry: 108,
        id: 4,
        sector: 12,
        tail: 20,
    };
}
