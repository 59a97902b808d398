// SPDX-License-Identifier: GPL-2.0

//! How the data of a transfer is laid out in our own pages.
//!
//! A frontend may use any sectors of any page, so its data can have gaps anywhere. A disk wants whole
//! blocks in memory without gaps. So the data is packed: every page of ours is full but the last. Of data
//! that is only a part of its first block, the rest of the block comes before. A [`Piece`] is the largest
//! part that lies within one page on either side, which is what one grant copy can move.

use crate::blkif::PAGE_SIZE;
use crate::number::GrantRef;
use crate::request::{
    Segment,
    Transfer, //
};

/// The most pieces that a direct request can have.
pub const MAX_PIECES: usize = max_pieces(crate::blkif::MAX_SEGMENTS);

/// The most pieces that so many segments can have: every segment lies in one page of the frontend's
/// and at most two of ours.
pub const fn max_pieces(segments: usize) -> usize {
    segments.saturating_mul(2)
}

/// A part of a transfer within one page of the frontend's and one of ours. Offsets and length are in
/// bytes, and neither end reaches over its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The frontend's page.
    pub gref: GrantRef,
    /// Where the piece starts in it.
    pub remote_offset: u16,
    /// Which of our pages, from 0.
    pub page: usize,
    /// Where the piece starts in it.
    pub local_offset: u16,
    /// How long it is; never 0.
    pub len: u16,
}

/// The pieces of a transfer, in order.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    segments: core::slice::Iter<'a, Segment>,
    /// What is left of the segment at hand.
    gref: GrantRef,
    remote_offset: u32,
    left: u32,
    /// Bytes laid out so far.
    position: u32,
}

impl Transfer {
    /// How many pages of ours its blocks need.
    #[inline]
    pub const fn pages(&self) -> usize {
        self.blocks_len().div_ceil(PAGE_SIZE) as usize
    }
}

/// The pieces to copy for a transfer of these segments, whose blocks begin so many bytes before it.
#[inline]
pub fn pieces(segments: &[Segment], bytes_before: u32) -> Pieces<'_> {
    Pieces {
        segments: segments.iter(),
        gref: GrantRef(0),
        remote_offset: 0,
        left: 0,
        position: bytes_before,
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    #[inline]
    fn next(&mut self) -> Option<Piece> {
        if self.left == 0 {
            let segment = self.segments.next()?;
            self.gref = segment.gref();
            self.remote_offset = segment.offset();
            self.left = segment.len();
        }
        let within = self.position % PAGE_SIZE;
        let len = self.left.min(PAGE_SIZE.wrapping_sub(within));
        let piece = Piece {
            gref: self.gref,
            // CAST: offsets are below the size of a page, and a length is at most that.
            remote_offset: self.remote_offset as u16,
            page: (self.position / PAGE_SIZE) as usize,
            local_offset: within as u16,
            len: len as u16,
        };
        // None wraps: all are at most the length of the transfer, and `len` is at most `left`.
        self.remote_offset = self.remote_offset.wrapping_add(len);
        self.position = self.position.wrapping_add(len);
        self.left = self.left.wrapping_sub(len);
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Abi;
    use crate::request::{
        parse,
        Discards,
        DiskLimits,
        Parsed,
        Request, //
    };
    use crate::slot::RawSlot;

    fn transfer(sectors: &[(u8, u8)]) -> (Transfer, [Segment; 11]) {
        let mut bytes = [0; 112];
        bytes[1] = u8::try_from(sectors.len()).unwrap();
        for (i, (first, last)) in sectors.iter().enumerate() {
            let at = 24 + 8 * i;
            bytes[at] = u8::try_from(i).unwrap();
            bytes[at + 4] = *first;
            bytes[at + 5] = *last;
        }
        let limits = DiskLimits {
            sectors: 1000,
            read_only: false,
            logical_block_size: 512,
            partial_blocks: false,
            indirect_segments: 0,
            discard: Discards::Refused,
        };
        let mut room = [Segment::UNUSED; 11];
        match parse(&RawSlot::new(bytes), Abi::X86_64, &limits, &mut room).unwrap() {
            Parsed::Request(Request::Read(transfer)) => (transfer, room),
            other => panic!("{other:?}"),
        }
    }

    fn packed(sectors: &[(u8, u8)]) -> Vec<(u32, u16, usize, u16, u16)> {
        let (transfer, room) = transfer(sectors);
        pieces(transfer.segments(&room), 0)
            .map(|p| (p.gref.0, p.remote_offset, p.page, p.local_offset, p.len))
            .collect()
    }

    #[test]
    fn whole_pages_are_copied_whole() {
        assert_eq!(
            packed(&[(0, 7), (0, 7)]),
            [(0, 0, 0, 0, 4096), (1, 0, 1, 0, 4096)]
        );
    }

    #[test]
    fn gaps_are_closed() {
        assert_eq!(
            packed(&[(1, 1), (7, 7), (3, 4)]),
            [
                (0, 512, 0, 0, 512),
                (1, 3584, 0, 512, 512),
                (2, 1536, 0, 1024, 1024)
            ]
        );
    }

    #[test]
    fn a_segment_across_our_page_boundary_is_two_pieces() {
        assert_eq!(
            packed(&[(0, 6), (0, 7), (0, 0)]),
            [
                (0, 0, 0, 0, 3584),
                (1, 0, 0, 3584, 512),
                (1, 512, 1, 0, 3584),
                (2, 0, 1, 3584, 512),
            ]
        );
        assert_eq!(transfer(&[(0, 6), (0, 7), (0, 0)]).0.pages(), 2);
    }

    /// Every first and last sector, eleven times: nothing overlaps, nothing is left out.
    #[test]
    fn pieces_fill_the_pages_in_order() {
        for first in 0..8 {
            for last in first..8 {
                let all = [(0, last - first), (first, last), (first, 7)].repeat(3);
                let (transfer, room) = transfer(&all);
                let segments = transfer.segments(&room);
                let mut position = 0;
                for piece in pieces(segments, 0) {
                    assert_eq!(
                        piece.page * 4096 + usize::from(piece.local_offset),
                        position
                    );
                    assert!(piece.len > 0);
                    assert!(piece.local_offset + piece.len <= 4096);
                    assert!(piece.remote_offset + piece.len <= 4096);
                    position += usize::from(piece.len);
                }
                assert_eq!(position, transfer.len() as usize);
                assert_eq!(transfer.pages(), position.div_ceil(4096));
                assert!(pieces(segments, 0).count() <= max_pieces(segments.len()));
            }
        }
    }
}
