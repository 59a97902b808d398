// SPDX-License-Identifier: GPL-2.0

//! A read or write whose segments are listed in pages of their own.

use super::{put, Entry, Segment};
use crate::gntalloc::Pages;
use crate::wire::{op, Layout, MAX_LISTS};

/// What lies in the ring: everything but the segments.
#[derive(Clone, Debug)]
pub struct Indirect {
    /// Echoed in the response.
    pub id: u64,
    /// Read or write.
    pub operation: u8,
    /// Segments in all pages together.
    pub nr_segments: u16,
    /// Where on the disk.
    pub sector: u64,
    /// The pages of segments.
    pub pages: [u32; MAX_LISTS],
}

impl Indirect {
    /// A request whose `nr_segments` segments are in `list`.
    pub fn new(operation: u8, sector: u64, nr_segments: u16, list: &Pages) -> Self {
        let mut pages = [0; MAX_LISTS];
        for (to, from) in pages.iter_mut().zip(list.grefs()) {
            *to = *from;
        }
        Self {
            id: 0,
            operation,
            nr_segments,
            sector,
            pages,
        }
    }

    /// The request with another id.
    pub fn with_id(mut self, id: u64) -> Self {
        self.id = id;
        self
    }
}

impl Entry for Indirect {
    fn id(&self) -> u64 {
        self.id
    }

    /// Answers name what was done, not how it was asked for.
    fn operation(&self) -> u8 {
        self.operation
    }

    fn encode(&self, layout: Layout) -> Vec<u8> {
        let mut entry = vec![0; layout.entry];
        entry[0] = op::INDIRECT;
        entry[1] = self.operation;
        put(&mut entry, 2, &self.nr_segments.to_le_bytes());
        put(&mut entry, layout.id, &self.id.to_le_bytes());
        put(&mut entry, layout.sector, &self.sector.to_le_bytes());
        // The handle and two bytes of padding come before the references.
        for (number, gref) in self.pages.iter().enumerate() {
            let at = layout.tail + 4 + 4 * number;
            put(&mut entry, at, &gref.to_le_bytes());
        }
        entry
    }
}

/// Writes segment `number` of a list.
fn write_segment(list: &Pages, number: usize, segment: Segment) {
    list.write(8 * number, &segment.gref.to_le_bytes());
    list.write(8 * number + 4, &[segment.first, segment.last, 0, 0]);
}

/// Writes `segments` into the pages of a list.
pub fn write_list(list: &Pages, segments: &[Segment]) {
    for (number, segment) in segments.iter().enumerate() {
        write_segment(list, number, *segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets from `blkif.h`: `offsetof(struct blkif_x86_{32,64}_request_indirect, …)`.
    #[test]
    fn fields_are_where_the_header_has_them() {
        let indirect = Indirect {
            id: 0x1122_3344_5566_7788,
            operation: 1,
            nr_segments: 0x0102,
            sector: 0x99aa,
            pages: [0xdead_beef; MAX_LISTS],
        };
        for (layout, id, sector, grefs) in [(Layout::WIDE, 8, 16, 28), (Layout::NARROW, 4, 12, 24)]
        {
            let entry = indirect.encode(layout);
            assert_eq!(entry[..4], [6, 1, 2, 1]);
            assert_eq!(entry[id..id + 8], indirect.id.to_le_bytes());
            assert_eq!(entry[sector..sector + 8], indirect.sector.to_le_bytes());
            assert_eq!(entry[grefs - 4..grefs], [0; 4]);
            for gref in entry[grefs..grefs + 32].chunks_exact(4) {
                assert_eq!(gref, 0xdead_beef_u32.to_le_bytes());
            }
        }
    }
}
