// SPDX-License-Identifier: GPL-2.0

//! A transfer: data to move, and the requests that have all of theirs in one entry.

use super::reject::Reason;
use super::segment::{
    Segment,
    Stored, //
};
use super::DiskLimits;
use crate::abi::Abi;
use crate::blkif::{
    MAX_SEGMENTS,
    SECTOR_SIZE, //
};
use crate::slot::RawSlot;

/// A sector of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Sector(pub u64);

/// Data to move between granted pages and adjoining sectors of the disk. Its segments are where
/// the caller had them stored.
///
/// # Invariants
///
/// There is at least one segment, `sectors` is the sum of theirs, and `start + sectors` is within
/// the [`DiskLimits`] it was parsed with. `before` and `after` are less than a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    start: Sector,
    sectors: u32,
    count: u16,
    /// Sectors of the first block that come before it.
    before: u16,
    /// Sectors of the last block that come after it.
    after: u16,
    /// Some segment is not whole blocks.
    ragged: bool,
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

    /// How many bytes; never 0, and at most 16 MiB.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub const fn len(&self) -> u32 {
        self.sectors.wrapping_mul(SECTOR_SIZE)
    }

    /// Whether it is only a part of some block of the disk: its first or its last.
    #[inline]
    pub const fn is_partial(&self) -> bool {
        self.before | self.after != 0
    }

    /// Whether the disk cannot work on the pages themselves: blocks would have gaps in memory.
    #[inline]
    pub const fn must_be_packed(&self) -> bool {
        self.ragged || self.is_partial()
    }

    /// The first sector of its first block.
    #[inline]
    pub const fn blocks_start(&self) -> Sector {
        Sector(self.start.0.wrapping_sub(self.before as u64))
    }

    /// How many bytes of its first block come before it.
    #[inline]
    pub const fn bytes_before(&self) -> u32 {
        (self.before as u32).wrapping_mul(SECTOR_SIZE)
    }

    /// How many bytes its blocks are together.
    #[inline]
    pub const fn blocks_len(&self) -> u32 {
        // None wraps: it is at most two blocks more than the transfer.
        let around = (self.before as u32).wrapping_add(self.after as u32);
        self.len().wrapping_add(around.wrapping_mul(SECTOR_SIZE))
    }

    /// How many segments.
    #[inline]
    pub const fn count(&self) -> usize {
        self.count as usize
    }

    /// The granted pages, in the order of the sectors: those of its segments in the room they were
    /// stored in.
    #[inline]
    pub fn segments<'room>(&self, room: &'room [Segment]) -> &'room [Segment] {
        room.get(..self.count()).unwrap_or(room)
    }

    /// Reads a transfer from the disk.
    #[inline]
    pub(super) fn read(
        raw: &RawSlot,
        abi: Abi,
        limits: &DiskLimits,
        room: &mut [Segment],
    ) -> Result<Self, Reason> {
        let count = usize::from(segment_count(raw));
        if count == 0 {
            return Err(Reason::NoSegments);
        }
        let room = match room.get_mut(..count) {
            Some(room) if count <= MAX_SEGMENTS => room,
            _ => return Err(Reason::TooManySegments),
        };
        let start = start_of(raw, abi);
        let bytes = raw.bytes().get(abi.segments_offset()..).unwrap_or_default();
        let mut stored = Stored::default();
        stored.store(bytes, room, start, limits)?;
        Self::new(start, stored, limits)
    }

    /// Reads a transfer to the disk.
    #[inline]
    pub(super) fn write(
        raw: &RawSlot,
        abi: Abi,
        limits: &DiskLimits,
        room: &mut [Segment],
    ) -> Result<Self, Reason> {
        if limits.read_only {
            return Err(Reason::ReadOnly);
        }
        Self::read(raw, abi, limits, room)
    }

    /// Reads the transfer to the disk that a flush or barrier may carry.
    pub(super) fn optional_write(
        raw: &RawSlot,
        abi: Abi,
        limits: &DiskLimits,
        room: &mut [Segment],
    ) -> Result<Option<Self>, Reason> {
        match segment_count(raw) {
            0 => Ok(None),
            _ => Self::write(raw, abi, limits, room).map(Some),
        }
    }

    /// A transfer of segments that were stored, at least one, if it fits the disk.
    #[inline]
    pub(super) fn new(start: u64, stored: Stored, limits: &DiskLimits) -> Result<Self, Reason> {
        let Stored {
            count,
            sectors,
            ragged,
        } = stored;
        let end = check_range(start, sectors.into(), limits)?;
        let partial = limits.sectors_of_block().wrapping_sub(1);
        let (before, after) = (start & partial, end.wrapping_neg() & partial);
        if before | after != 0 {
            check_partial(start, sectors.into(), limits)?;
        }
        // INVARIANT: Just checked; the rest is the caller's part.
        Ok(Self {
            start: Sector(start),
            sectors,
            count,
            // CAST: They are less than a block, which is at most 65536 sectors.
            before: before as u16,
            after: after as u16,
            ragged,
        })
    }
}

/// The number of segments that the frontend claims for a direct request.
#[inline]
fn segment_count(raw: &RawSlot) -> u8 {
    u8::from_le_bytes(raw.field(1))
}

/// The sector where a request of any kind starts.
#[inline]
pub(super) fn start_of(raw: &RawSlot, abi: Abi) -> u64 {
    u64::from_le_bytes(raw.field(abi.sector_offset()))
}

/// A range lies on the disk; returns its end.
#[inline]
pub(super) fn check_range(start: u64, sectors: u64, limits: &DiskLimits) -> Result<u64, Reason> {
    match start.checked_add(sectors) {
        Some(end) if end <= limits.sectors => Ok(end),
        _ => Err(Reason::OutOfRange { start, sectors }),
    }
}

/// A range that starts or ends within a block is taken, and the disk has the whole of its blocks.
#[cold]
pub(super) fn check_partial(start: u64, sectors: u64, limits: &DiskLimits) -> Result<(), Reason> {
    let block = limits.sectors_of_block();
    let end = start.wrapping_add(sectors).checked_next_multiple_of(block);
    if limits.partial_blocks && end.is_some_and(|end| end <= limits.sectors) {
        Ok(())
    } else {
        Err(Reason::Misaligned { start, sectors })
    }
}
