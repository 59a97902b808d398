// SPDX-License-Identifier: GPL-2.0

//! From a private copy of a ring entry to a request that is valid, or to the reason why it is not.

use core::fmt;

use crate::abi::Abi;
use crate::blkif::{
    Opcode,
    Status,
    MAX_SEGMENTS,
    PAGE_SIZE,
    SECTORS_PER_PAGE,
    SECTOR_SIZE, //
};
use crate::number::GrantRef;
use crate::slot::RawSlot;

/// What a request may do: the disk as it is now, since it can shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLimits {
    /// Capacity in sectors.
    pub sectors: u64,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Bytes of the smallest unit the disk can read or write, a power of two of at least 512.
    pub logical_block_size: u32,
}

/// A sector of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Sector(pub u64);

/// Adjoining sectors of one granted page.
///
/// # Invariants
///
/// `first <= last < SECTORS_PER_PAGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    gref: GrantRef,
    first: u8,
    last: u8,
}

impl Segment {
    /// What stands in the unused places of a [`Transfer`].
    const UNUSED: Self = Self {
        gref: GrantRef(0),
        first: 0,
        last: 0,
    };

    /// The page.
    #[inline]
    pub const fn gref(&self) -> GrantRef {
        self.gref
    }

    /// How many sectors; between 1 and 8.
    #[inline]
    pub const fn sectors(&self) -> u32 {
        (self.last as u32)
            .wrapping_sub(self.first as u32)
            .wrapping_add(1)
    }

    /// Where in the page they start, in bytes.
    #[inline]
    pub const fn offset(&self) -> u32 {
        (self.first as u32).wrapping_mul(SECTOR_SIZE)
    }

    /// How many bytes they are; never 0.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub const fn len(&self) -> u32 {
        self.sectors().wrapping_mul(SECTOR_SIZE)
    }
}

/// Data to move between granted pages and adjoining sectors of the disk.
///
/// # Invariants
///
/// There are between 1 and [`MAX_SEGMENTS`] segments, `sectors` is the sum of theirs, and `start +
/// sectors` is within the [`DiskLimits`] it was parsed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    start: Sector,
    sectors: u32,
    count: u8,
    segments: [Segment; MAX_SEGMENTS],
}

impl Transfer {
    /// The first sector.
    #[inline]
    pub const fn start(&self) -> Sector {
        self.start
    }

    /// How many sectors.
    #[inline]
    pub const fn sectors(&self) -> u32 {
        self.sectors
    }

    /// How many bytes; never 0.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub const fn len(&self) -> u32 {
        self.sectors.wrapping_mul(SECTOR_SIZE)
    }

    /// The granted pages, in the order of the sectors.
    #[inline]
    pub fn segments(&self) -> &[Segment] {
        self.segments
            .get(..usize::from(self.count))
            .unwrap_or(&self.segments)
    }
}

/// A valid request.
//
// TODO[DISCARD], TODO[INDIRECT]: variants of their own. Until they are offered to the frontend they
// are refused as unsupported.
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
}

/// A request that is answered without being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The answer.
    pub status: Status,
    /// What was wrong.
    pub reason: Reason,
}

/// What is wrong with a request. Displayed in NetBSD's words where it has any; numbers only, so
/// safe to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No such operation, or one that is not offered.
    UnknownOperation(u8),
    /// More segments than a request can hold.
    TooManySegments,
    /// No segment in a request that moves data.
    NoSegments,
    /// The segment's sectors do not lie in its page, or are the wrong way round.
    SegmentSectors {
        /// First sector within the page.
        first: u8,
        /// Last sector within the page.
        last: u8,
    },
    /// Data to write on a disk that is read-only.
    ReadOnly,
    /// Not in whole blocks of the disk.
    Misaligned {
        /// First sector.
        start: u64,
        /// Sectors of the transfer, or of the segment that is to blame.
        sectors: u32,
    },
    /// Past the end of the disk.
    OutOfRange {
        /// First sector.
        start: u64,
        /// How many.
        sectors: u32,
    },
}

impl Reason {
    /// The answer it gets.
    ///
    /// Only what the frontend must not try again is "unsupported". A write on a read-only disk is
    /// an error, as `blkif.h` and Linux's backend have it (NetBSD says unsupported).
    const fn status(self) -> Status {
        match self {
            Self::UnknownOperation(_) => Status::Unsupported,
            _ => Status::Error,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownOperation(operation) => write!(f, "unknown operation {operation}"),
            Self::TooManySegments => f.write_str("too many segments"),
            Self::NoSegments => f.write_str("invalid number of segments"),
            Self::SegmentSectors { first, last } => {
                write!(f, "invalid segment sectors {first} {last}")
            }
            Self::ReadOnly => f.write_str("write to a read-only disk"),
            Self::Misaligned { start, sectors } => {
                write!(f, "misaligned access to sector {start}, {sectors} sectors")
            }
            Self::OutOfRange { start, sectors } => {
                write!(
                    f,
                    "access past the end of the disk: sector {start}, {sectors} sectors"
                )
            }
        }
    }
}

impl From<Reason> for Reject {
    #[inline]
    fn from(reason: Reason) -> Self {
        Self {
            status: reason.status(),
            reason,
        }
    }
}

/// Reads a request.
///
/// Flushes and barriers are done whether or not the disk has a cache to flush, and may be empty.
/// The request's `handle` is ignored, as every backend does: it has 16 bits and cannot name every
/// disk.
#[inline]
pub fn parse(raw: &RawSlot, abi: Abi, limits: &DiskLimits) -> Result<Request, Reject> {
    let operation = raw.operation();
    let request = match Opcode::from_raw(operation) {
        Some(Opcode::Read) => Request::Read(transfer(raw, abi, limits, Access::Read)?),
        Some(Opcode::Write) => Request::Write(transfer(raw, abi, limits, Access::Write)?),
        Some(Opcode::FlushDiskcache) => Request::Flush(optional_write(raw, abi, limits)?),
        Some(Opcode::WriteBarrier) => Request::Barrier(optional_write(raw, abi, limits)?),
        Some(Opcode::Reserved | Opcode::Discard | Opcode::Indirect) | None => {
            return Err(Reason::UnknownOperation(operation).into());
        }
    };
    Ok(request)
}

/// Which way data moves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Reads the write that a flush or barrier may carry.
fn optional_write(
    raw: &RawSlot,
    abi: Abi,
    limits: &DiskLimits,
) -> Result<Option<Transfer>, Reason> {
    match segment_count(raw) {
        0 => Ok(None),
        _ => transfer(raw, abi, limits, Access::Write).map(Some),
    }
}

/// The number of segments the frontend claims.
#[inline]
fn segment_count(raw: &RawSlot) -> u8 {
    u8::from_le_bytes(raw.field(1))
}

/// Reads a transfer and checks it against the disk.
#[inline]
fn transfer(
    raw: &RawSlot,
    abi: Abi,
    limits: &DiskLimits,
    access: Access,
) -> Result<Transfer, Reason> {
    let count = segment_count(raw);
    if count == 0 {
        return Err(Reason::NoSegments);
    }
    if usize::from(count) > MAX_SEGMENTS {
        return Err(Reason::TooManySegments);
    }
    if access == Access::Write && limits.read_only {
        return Err(Reason::ReadOnly);
    }

    let start = u64::from_le_bytes(raw.field(abi.sector_offset()));
    let mut segments = [Segment::UNUSED; MAX_SEGMENTS];
    let mut sectors = 0u32;
    let entries = (abi.segments_offset()..).step_by(8);
    for (segment, offset) in segments.iter_mut().zip(entries).take(usize::from(count)) {
        *segment = parse_segment(raw.field(offset))?;
        // At most eleven times eight.
        sectors = sectors.wrapping_add(segment.sectors());
        check_segment_alignment(start, segment, limits)?;
    }

    check_range(start, sectors, limits)?;
    Ok(Transfer {
        start: Sector(start),
        sectors,
        count,
        segments,
    })
}

/// Reads a segment: the grant reference, the first and the last sector, two bytes of padding.
#[inline]
fn parse_segment([g0, g1, g2, g3, first, last, _, _]: [u8; 8]) -> Result<Segment, Reason> {
    if first > last || last >= SECTORS_PER_PAGE {
        return Err(Reason::SegmentSectors { first, last });
    }
    // INVARIANT: Just checked.
    Ok(Segment {
        gref: GrantRef(u32::from_le_bytes([g0, g1, g2, g3])),
        first,
        last,
    })
}

/// A segment holds whole blocks, or a whole page of a larger block. Where in its page it starts
/// does not matter to the disk, so neither to us (nor to Linux's backend).
#[inline]
fn check_segment_alignment(
    start: u64,
    segment: &Segment,
    limits: &DiskLimits,
) -> Result<(), Reason> {
    let unit = limits.logical_block_size.min(PAGE_SIZE);
    if is_multiple(u64::from(segment.len()), unit) {
        Ok(())
    } else {
        Err(Reason::Misaligned {
            start,
            sectors: segment.sectors(),
        })
    }
}

/// The transfer starts and ends on a block boundary, and lies on the disk.
#[inline]
fn check_range(start: u64, sectors: u32, limits: &DiskLimits) -> Result<(), Reason> {
    let end = start.checked_add(u64::from(sectors));
    if end.is_none_or(|end| end > limits.sectors) {
        return Err(Reason::OutOfRange { start, sectors });
    }
    let block = limits.logical_block_size / SECTOR_SIZE;
    if is_multiple(start, block) && is_multiple(u64::from(sectors), block) {
        Ok(())
    } else {
        Err(Reason::Misaligned { start, sectors })
    }
}

/// Whether `value` is a multiple of `unit`, a power of two.
#[inline]
const fn is_multiple(value: u64, unit: u32) -> bool {
    value & (unit as u64).wrapping_sub(1) == 0
}

#[cfg(test)]
mod tests;
