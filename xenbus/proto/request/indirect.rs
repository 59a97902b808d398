// SPDX-License-Identifier: GPL-2.0

//! An indirect request: a read or write that has its segments in pages of their own.

use super::reject::{
    Reason,
    Reject, //
};
use super::segment::{
    Segment,
    Stored, //
};
use super::transfer::{
    start_of,
    Transfer, //
};
use super::{
    DiskLimits,
    Request, //
};
use crate::abi::Abi;
use crate::blkif::{
    Opcode,
    PAGE_SIZE, //
};
use crate::number::GrantRef;
use crate::slot::RawSlot;

/// Bytes of a segment in an entry or a page.
const SEGMENT_SIZE: usize = 8;

/// A read or write whose segments have not been seen yet.
///
/// They are in [`Self::pages`], one after the other, [`Self::SEGMENTS_PER_PAGE`] to a page. The
/// pages are the frontend's: copies of them are handed to [`Self::parse_page`] in order, each once,
/// then [`Self::finish`] makes the request.
///
/// # Invariants
///
/// `count` is at least 1 and at most [`Self::MAX_SEGMENTS`]; no more than `count` are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indirect {
    start: u64,
    writes: bool,
    count: u16,
    pages: [GrantRef; Self::MAX_PAGES],
    stored: Stored,
}

impl Indirect {
    /// Pages of segments that a request can have.
    pub const MAX_PAGES: usize = 8;

    /// Segments in a page.
    pub const SEGMENTS_PER_PAGE: usize = PAGE_SIZE as usize / SEGMENT_SIZE;

    /// Segments that a request can have, whatever is offered.
    pub const MAX_SEGMENTS: usize = Self::MAX_PAGES * Self::SEGMENTS_PER_PAGE;

    /// How many segments it has.
    #[inline]
    pub const fn count(&self) -> usize {
        self.count as usize
    }

    /// The pages that hold them, and how many bytes of each are to be looked at, from its start.
    #[inline]
    pub fn pages(&self) -> impl Iterator<Item = (GrantRef, usize)> + '_ {
        let left = (0..self.count()).step_by(Self::SEGMENTS_PER_PAGE);
        self.pages.iter().zip(left).map(|(page, before)| {
            let segments = self.count().wrapping_sub(before);
            let here = segments.min(Self::SEGMENTS_PER_PAGE);
            (*page, here.wrapping_mul(SEGMENT_SIZE))
        })
    }

    /// Reads the segments of the next page, from a private copy of as many bytes as
    /// [`Self::pages`] asks for, and stores them in `room`, behind those of the pages before.
    #[inline]
    pub fn parse_page(
        &mut self,
        page: &[u8],
        limits: &DiskLimits,
        room: &mut [Segment],
    ) -> Result<(), Reject> {
        let places = usize::from(self.stored.count)..self.count();
        let room = room.get_mut(places).ok_or(Reason::TooManySegments)?;
        let page = page.get(..PAGE_SIZE as usize).unwrap_or(page);
        self.stored.store(page, room, self.start, limits)?;
        Ok(())
    }

    /// The request, once all of its segments are stored; they are where a direct request's would
    /// be.
    #[inline]
    pub fn finish(&self, limits: &DiskLimits) -> Result<Request, Reject> {
        if self.stored.count != self.count {
            return Err(Reason::NoSegments.into());
        }
        let transfer = Transfer::new(self.start, self.stored, limits)?;
        Ok(match self.writes {
            false => Request::Read(transfer),
            true => Request::Write(transfer),
        })
    }

    /// Reads the entry.
    pub(super) fn parse(raw: &RawSlot, abi: Abi, limits: &DiskLimits) -> Result<Self, Reason> {
        if limits.indirect_segments == 0 {
            return Err(Reason::UnknownOperation(Opcode::INDIRECT));
        }
        let [operation] = raw.field(1);
        let writes = match Opcode::from_raw(operation) {
            Some(Opcode::Read) => false,
            Some(Opcode::Write) => true,
            _ => return Err(Reason::IndirectOperation(operation)),
        };
        let count = u16::from_le_bytes(raw.field(2));
        if count == 0 {
            return Err(Reason::NoSegments);
        }
        if count > limits.indirect_segments || usize::from(count) > Self::MAX_SEGMENTS {
            return Err(Reason::TooManySegments);
        }
        if writes && limits.read_only {
            return Err(Reason::ReadOnly);
        }
        // INVARIANT: Just checked.
        Ok(Self {
            start: start_of(raw, abi),
            writes,
            count,
            pages: pages(raw, abi),
            stored: Stored::default(),
        })
    }
}

/// The grant references. Two bytes of handle and two of padding are before them, where a direct
/// request has its segments.
fn pages(raw: &RawSlot, abi: Abi) -> [GrantRef; Indirect::MAX_PAGES] {
    let first = abi.segments_offset().wrapping_add(4);
    core::array::from_fn(|page| {
        let offset = first.wrapping_add(page.wrapping_mul(size_of::<u32>()));
        GrantRef(u32::from_le_bytes(raw.field(offset)))
    })
}
