// SPDX-License-Identifier: GPL-2.0

//! Requests as values, encoded byte by byte: nothing is checked, so that a wrong one is as easy as a right one.

mod discard;
mod indirect;

pub use discard::Discard;
pub use indirect::{write_list, Indirect};

use crate::wire::{op, Layout, MAX_SEGMENTS};

/// What can be put into a ring.
pub trait Entry {
    /// The id that the answer must have.
    fn id(&self) -> u64;
    /// The operation that the answer must have.
    fn operation(&self) -> u8;
    /// The bytes of the ring entry.
    fn encode(&self, layout: Layout) -> Vec<u8>;
}

/// Part of a granted page, in sectors of 512 bytes, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The page's grant reference.
    pub gref: u32,
    /// The first sector of the page.
    pub first: u8,
    /// The last sector of the page.
    pub last: u8,
}

impl Segment {
    /// A whole page.
    pub fn page(gref: u32) -> Self {
        Self {
            gref,
            first: 0,
            last: 7,
        }
    }

    /// Sectors in the segment.
    pub fn sectors(self) -> u64 {
        u64::from(self.last) + 1 - u64::from(self.first)
    }
}

/// A read, write, barrier or flush, or something that only looks like one.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub operation: u8,
    /// How many segments the request claims to have.
    pub nr_segments: u8,
    /// The virtual device, ignored by backends.
    pub handle: u16,
    /// Echoed in the response.
    pub id: u64,
    /// Where on the disk.
    pub sector: u64,
    /// The segments, whatever `nr_segments` says.
    pub segments: [Segment; MAX_SEGMENTS],
}

impl Request {
    /// A request with consistent fields; at most [`MAX_SEGMENTS`] segments are kept.
    pub fn new(operation: u8, sector: u64, segments: &[Segment]) -> Self {
        let mut all = [Segment::default(); MAX_SEGMENTS];
        for (to, from) in all.iter_mut().zip(segments) {
            *to = *from;
        }
        Self {
            operation,
            nr_segments: u8::try_from(segments.len()).unwrap_or(u8::MAX),
            handle: 0,
            id: 0,
            sector,
            segments: all,
        }
    }

    /// A flush without data.
    pub fn flush() -> Self {
        Self::new(op::FLUSH, 0, &[])
    }

    /// The request with another id.
    pub fn with_id(mut self, id: u64) -> Self {
        self.id = id;
        self
    }
}

impl Entry for Request {
    fn id(&self) -> u64 {
        self.id
    }

    fn operation(&self) -> u8 {
        self.operation
    }

    fn encode(&self, layout: Layout) -> Vec<u8> {
        let mut entry = vec![0; layout.entry];
        entry[0] = self.operation;
        entry[1] = self.nr_segments;
        put(&mut entry, 2, &self.handle.to_le_bytes());
        put(&mut entry, layout.id, &self.id.to_le_bytes());
        put(&mut entry, layout.sector, &self.sector.to_le_bytes());
        for (number, segment) in self.segments.iter().enumerate() {
            let at = layout.tail + 8 * number;
            put(&mut entry, at, &segment.gref.to_le_bytes());
            put(&mut entry, at + 4, &[segment.first, segment.last]);
        }
        entry
    }
}

fn put(entry: &mut [u8], at: usize, bytes: &[u8]) {
    entry[at..at + bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets from `blkif.h`: `offsetof(struct blkif_x86_{32,64}_request, …)`.
    #[test]
    fn fields_are_where_the_header_has_them() {
        let request = Request {
            operation: 1,
            nr_segments: 2,
            handle: 0x0403,
            id: 0x1122_3344_5566_7788,
            sector: 0x99aa_bbcc_ddee_ff00,
            segments: [Segment {
                gref: 0xdead_beef,
                first: 3,
                last: 5,
            }; MAX_SEGMENTS],
        };
        for (layout, id, sector, segments) in
            [(Layout::WIDE, 8, 16, 24), (Layout::NARROW, 4, 12, 20)]
        {
            let entry = request.encode(layout);
            assert_eq!(entry[..4], [1, 2, 3, 4]);
            assert_eq!(entry[id..id + 8], request.id.to_le_bytes());
            assert_eq!(entry[sector..sector + 8], request.sector.to_le_bytes());
            assert_eq!(entry[segments..segments + 4], 0xdead_beef_u32.to_le_bytes());
            assert_eq!(entry[segments + 4..segments + 6], [3, 5]);
            assert_eq!(entry.len(), layout.entry);
        }
    }
}
