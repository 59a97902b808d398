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
/// the [`DiskLimits`] it was parsed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    start: Sector,
    sectors: u32,
    count: u16,
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
        stored.store(bytes, room, start, limits.logical_block_size)?;
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
        let Stored { count, sectors } = stored;
        check_range(start, sectors.into(), limits)?;
        // INVARIANT: Just checked; the rest is the caller's part.
        Ok(Self {
            start: Sector(start),
            sectors,
            count,
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

/// A range starts and ends on a block boundary, and lies on the disk.
#[inline]
pub(super) fn check_range(start: u64, sectors: u64, limits: &DiskLimits) -> Result<(), Reason> {
    let end = start.checked_add(sectors);
    if end.is_none_or(|end| end > limits.sectors) {
        return Err(Reason::OutOfRange { start, sectors });
    }
    let partial = u64::from(limits.logical_block_size / SECTOR_SIZE).wrapping_sub(1);
    if (start | sectors) & partial == 0 {
        Ok(())
    } else {
        Err(Reason::Misaligned { start, sectors })
    }
}
