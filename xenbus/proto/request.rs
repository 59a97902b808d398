// SPDX-License-Identifier: GPL-2.0

//! From a private copy of a ring entry to a request that is valid, or to the reason why it is not.
//!
//! [`parse`] looks at an entry. Nearly every request is complete in its entry; an [`Indirect`] one
//! has its segments in pages of their own, which are to be copied and handed to it before it is a
//! [`Request`] too. From there on nothing tells the two apart.
//!
//! The segments of a request are put into room that the caller provides, since there can be eleven
//! or thousands of them. All else is small and is copied freely.

use crate::abi::Abi;
use crate::blkif::{
    Opcode,
    SECTOR_SIZE, //
};
use crate::slot::RawSlot;

mod discard;
mod indirect;
mod reject;
mod segment;
mod transfer;

pub use discard::Discard;
pub use indirect::Indirect;
pub use reject::{
    Reason,
    Reject, //
};
pub use segment::Segment;
pub use transfer::{
    Sector,
    Transfer, //
};

/// What a request may do: the disk as it is now, since it can shrink, and what was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLimits {
    /// Capacity in sectors.
    pub sectors: u64,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Bytes of the smallest unit the disk can read or write, a power of two of at least 512.
    pub logical_block_size: u32,
    /// Whether requests for parts of such blocks are taken.
    pub partial_blocks: bool,
    /// The most segments of an indirect request; 0 when there are none. More than
    /// [`Indirect::MAX_SEGMENTS`] are never taken.
    pub indirect_segments: u16,
    /// Which discards are done.
    pub discard: Discards,
}

impl DiskLimits {
    /// How many sectors the smallest unit is, at most 65536.
    #[inline]
    const fn sectors_of_block(&self) -> u64 {
        // CAST: widening.
        match (self.logical_block_size / SECTOR_SIZE) as u64 {
            0 => 1,
            many if many > 1 << 16 => 1 << 16,
            sectors => sectors,
        }
    }
}

/// Which discards are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discards {
    /// None.
    Refused,
    /// Those that need not erase.
    Ordinary,
    /// Those that erase for good too.
    Secure,
}

/// A valid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Disk to pages.
    Read(Transfer),
    /// Pages to disk.
    Write(Transfer),
    /// Make every write completed so far durable, then do the write if there is one.
    Flush(Option<Transfer>),
    /// As a flush, and ordered: everything before is done and durable first, the write is durable
    /// before anything after starts.
    Barrier(Option<Transfer>),
    /// Forget the contents of sectors, if there are any: a frontend may ask for none.
    Discard(Option<Discard>),
}

/// What an entry of the ring holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request; its segments have been stored.
    Request(Request),
    /// A request whose segments are elsewhere.
    Indirect(Indirect),
}

/// Reads an entry. Its segments are stored from the start of `segments`, which has room for
/// [`MAX_SEGMENTS`](crate::blkif::MAX_SEGMENTS).
///
/// Flushes and barriers are done whether or not the disk has a cache to flush, and may be empty.
/// The request's `handle` is ignored, as every backend does: it has 16 bits and cannot name every
/// disk.
#[inline]
pub fn parse(
    raw: &RawSlot,
    abi: Abi,
    limits: &DiskLimits,
    segments: &mut [Segment],
) -> Result<Parsed, Reject> {
    let operation = raw.operation();
    let request = match Opcode::from_raw(operation) {
        Some(Opcode::Read) => Request::Read(Transfer::read(raw, abi, limits, segments)?),
        Some(Opcode::Write) => Request::Write(Transfer::write(raw, abi, limits, segments)?),
        Some(Opcode::FlushDiskcache) => {
            Request::Flush(Transfer::optional_write(raw, abi, limits, segments)?)
        }
        Some(Opcode::WriteBarrier) => {
            Request::Barrier(Transfer::optional_write(raw, abi, limits, segments)?)
        }
        Some(Opcode::Discard) => Request::Discard(Discard::parse(raw, abi, limits)?),
        Some(Opcode::Indirect) => {
            return Ok(Parsed::Indirect(Indirect::parse(raw, abi, limits)?));
        }
        Some(Opcode::Reserved) | None => return Err(Reason::UnknownOperation(operation).into()),
    };
    Ok(Parsed::Request(request))
}

#[cfg(test)]
mod tests;
