// SPDX-License-Identifier: GPL-2.0

//! A segment: where a part of a request's data is in the frontend's memory.

use super::reject::Reason;
use super::DiskLimits;
use crate::blkif::{
    PAGE_SIZE,
    SECTORS_PER_PAGE,
    SECTOR_SIZE, //
};
use crate::number::GrantRef;

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
    /// What stands in room that holds no segments yet.
    pub const UNUSED: Self = Self {
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

    /// Reads a segment: the grant reference, the first and the last sector, two bytes of padding.
    #[inline]
    fn parse([g0, g1, g2, g3, first, last, _, _]: [u8; 8]) -> Result<Self, Reason> {
        if first > last || last >= SECTORS_PER_PAGE {
            return Err(Reason::SegmentSectors { first, last });
        }
        // INVARIANT: Just checked.
        Ok(Self {
            gref: GrantRef(u32::from_le_bytes([g0, g1, g2, g3])),
            first,
            last,
        })
    }
}

/// What has been stored of a request's segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    /// How many.
    pub(super) count: u16,
    /// Their sectors together.
    pub(super) sectors: u32,
    /// One of them is not whole blocks.
    pub(super) ragged: bool,
}

impl Stored {
    /// Reads segments as they follow each other in an entry or in an indirect page, until the room
    /// or the bytes end. `start` is the sector of the request.
    ///
    /// Every segment holds whole blocks of the disk, or a whole page of a larger block, unless parts
    /// of blocks are taken too. Where in its page it starts does not matter to the disk, so neither to
    /// us (nor to Linux's backend).
    #[inline]
    pub(super) fn store(
        &mut self,
        bytes: &[u8],
        room: &mut [Segment],
        start: u64,
        limits: &DiskLimits,
    ) -> Result<(), Reason> {
        let partial = (limits.logical_block_size.min(PAGE_SIZE) / SECTOR_SIZE).wrapping_sub(1);
        let entries = bytes
            .chunks_exact(8)
            .filter_map(|entry| entry.first_chunk());
        for (place, entry) in room.iter_mut().zip(entries) {
            let segment = Segment::parse(*entry)?;
            let sectors = segment.sectors();
            if sectors & partial != 0 {
                if !limits.partial_blocks {
                    return Err(Reason::Misaligned {
                        start,
                        sectors: sectors.into(),
                    });
                }
                self.ragged = true;
            }
            *place = segment;
            // Neither wraps: no request has more than 4096 segments of 8 sectors.
            self.count = self.count.wrapping_add(1);
            self.sectors = self.sectors.wrapping_add(sectors);
        }
        Ok(())
    }
}
