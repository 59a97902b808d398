// SPDX-License-Identifier: GPL-2.0

//! The header of an image: how large its blocks are, and how many there are.

use core::num::NonZeroU32;

use super::{
    Problem,
    ENTRY_BYTES,
    HEADER_BYTES,
    PREAMBLE,
    PREAMBLE_BYTES,
    SECTOR_BYTES, //
};

/// The uncompressed bytes of a block.
///
/// # Invariants
///
/// A multiple of 512 between 512 and [`BlockSize::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSize(NonZeroU32);

impl BlockSize {
    /// The largest size: twice as much still fits into 32 bits.
    pub const MAX: u32 = 0x7fff_fe00;

    /// Takes a number of bytes that obeys the rules.
    pub fn new(bytes: u32) -> Result<Self, Problem> {
        let size = NonZeroU32::new(bytes)
            .filter(|_| bytes % SECTOR_BYTES == 0)
            .ok_or(Problem::BlockSize { bytes })?;
        // INVARIANT: It is no zero, and a multiple; `within` looks at the rest.
        Self(size).within(Self::MAX)
    }

    /// Refuses a size above a limit of the reader's own.
    pub fn within(self, limit: u32) -> Result<Self, Problem> {
        let bytes = self.bytes();
        if bytes > limit {
            return Err(Problem::BlockSizeOverLimit { bytes, limit });
        }
        Ok(self)
    }

    /// The size in bytes.
    #[inline]
    pub const fn bytes(self) -> u32 {
        self.0.get()
    }
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    block_size: BlockSize,
    blocks: NonZeroU32,
}

/// Where a byte of the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The number of the block.
    pub block: u32,
    /// The bytes before it in that block.
    pub offset: u32,
}

impl Geometry {
    /// That of an image of so many bytes.
    pub fn of_image(bytes: u64, block_size: BlockSize) -> Result<Self, Problem> {
        let blocks = bytes.div_ceil(u64::from(block_size.bytes()));
        let blocks = u32::try_from(blocks).map_err(|_| Problem::TooManyBlocks {
            image: bytes,
            block_size: block_size.bytes(),
        })?;
        Self::new(block_size, blocks)
    }

    /// Reads a header. The preamble is not looked at.
    pub fn parse(header: &[u8; HEADER_BYTES]) -> Result<Self, Problem> {
        let [.., s0, s1, s2, s3, n0, n1, n2, n3] = *header;
        let block_size = BlockSize::new(u32::from_be_bytes([s0, s1, s2, s3]))?;
        Self::new(block_size, u32::from_be_bytes([n0, n1, n2, n3]))
    }

    fn new(block_size: BlockSize, blocks: u32) -> Result<Self, Problem> {
        Ok(Self {
            block_size,
            blocks: NonZeroU32::new(blocks).ok_or(Problem::Empty)?,
        })
    }

    /// Refuses what is above the limits of a reader: larger blocks, or more of them.
    pub fn within(self, block_size: u32, blocks: u32) -> Result<Self, Problem> {
        self.block_size.within(block_size)?;
        if self.blocks() > blocks {
            return Err(Problem::BlocksOverLimit {
                blocks: self.blocks(),
                limit: blocks,
            });
        }
        Ok(self)
    }

    /// Writes the header, with the preamble.
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        let fill = core::iter::repeat_n(&0, PREAMBLE_BYTES.saturating_sub(PREAMBLE.len()));
        let sizes = [self.block_size.bytes(), self.blocks()].map(u32::to_be_bytes);
        let mut header = [0; HEADER_BYTES];
        for (to, from) in header
            .iter_mut()
            .zip(PREAMBLE.iter().chain(fill).chain(sizes.as_flattened()))
        {
            *to = *from;
        }
        header
    }

    /// The size of a block.
    #[inline]
    pub const fn block_size(&self) -> BlockSize {
        self.block_size
    }

    /// The number of blocks, at least one.
    #[inline]
    pub const fn blocks(&self) -> u32 {
        self.blocks.get()
    }

    /// The size of the disk in bytes: all blocks are counted as whole.
    #[inline]
    pub fn disk_bytes(&self) -> u64 {
        // Two numbers of 32 bits: it saturates never.
        u64::from(self.blocks()).saturating_mul(u64::from(self.block_size.bytes()))
    }

    /// The size of the offset table in bytes.
    #[inline]
    pub fn table_bytes(&self) -> u64 {
        let entries = u64::from(self.blocks()).saturating_add(1);
        entries.saturating_mul(ENTRY_BYTES as u64)
    }

    /// Where the table ends and the first block begins.
    #[inline]
    pub fn data_start(&self) -> u64 {
        self.table_bytes().saturating_add(HEADER_BYTES as u64)
    }

    /// What the length of a compressed block is less than: twice the block size.
    #[inline]
    pub const fn compressed_limit(&self) -> u32 {
        // By the invariant of `BlockSize`, it saturates never.
        self.block_size.bytes().saturating_mul(2)
    }

    /// Finds a byte of the disk; `None` when it is behind the end.
    #[inline]
    pub fn locate(&self, byte: u64) -> Option<Position> {
        let size = u64::from(self.block_size.bytes());
        let block = u32::try_from(byte.checked_div(size)?).ok()?;
        let offset = u32::try_from(byte.checked_rem(size)?).ok()?;
        (block < self.blocks()).then_some(Position { block, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(block_size: u32, blocks: u32) -> [u8; HEADER_BYTES] {
        let mut header = [b'x'; HEADER_BYTES];
        header[128..132].copy_from_slice(&block_size.to_be_bytes());
        header[132..].copy_from_slice(&blocks.to_be_bytes());
        header
    }

    #[test]
    fn block_sizes_are_multiples_of_512_within_limits() {
        for bytes in [512, 1024, 65536, 96 << 10, 1 << 30, BlockSize::MAX] {
            assert_eq!(BlockSize::new(bytes).map(BlockSize::bytes), Ok(bytes));
        }
        for bytes in [0, 1, 511, 513, 65535, u32::MAX] {
            assert_eq!(BlockSize::new(bytes), Err(Problem::BlockSize { bytes }));
        }
        for bytes in [0x8000_0000, 0xffff_fe00] {
            let limit = BlockSize::MAX;
            assert_eq!(
                BlockSize::new(bytes),
                Err(Problem::BlockSizeOverLimit { bytes, limit })
            );
        }
        let size = BlockSize::new(1024).unwrap();
        assert_eq!(size.within(1024), Ok(size));
        assert!(size.within(1023).is_err());
    }

    #[test]
    fn a_header_is_read_whatever_the_preamble_is() {
        let geometry = Geometry::parse(&header(0x1_0000, 3)).unwrap();
        assert_eq!(geometry.block_size().bytes(), 65536);
        assert_eq!(geometry.blocks(), 3);
        assert_eq!(geometry.disk_bytes(), 3 << 16);
        assert_eq!(geometry.table_bytes(), 32);
        assert_eq!(geometry.data_start(), 168);
        assert_eq!(geometry.compressed_limit(), 2 << 16);
        assert_eq!(Geometry::parse(&header(512, 0)), Err(Problem::Empty));
        assert!(Geometry::parse(&header(0, 1)).is_err());
    }

    #[test]
    fn a_reader_can_have_limits_of_its_own() {
        let geometry = Geometry::parse(&header(1024, 3)).unwrap();
        assert_eq!(geometry.within(1024, 3), Ok(geometry));
        assert!(matches!(
            geometry.within(1023, 3),
            Err(Problem::BlockSizeOverLimit { .. })
        ));
        assert_eq!(
            geometry.within(1024, 2),
            Err(Problem::BlocksOverLimit {
                blocks: 3,
                limit: 2
            })
        );
    }

    #[test]
    fn a_header_is_written_with_the_preamble_and_read_again() {
        let geometry = Geometry::of_image(70_000, BlockSize::new(1536).unwrap()).unwrap();
        let header = geometry.header();
        assert_eq!(PREAMBLE.len(), 91);
        assert_eq!(header[..91], *PREAMBLE);
        assert_eq!(header[91..128], [0; 37]);
        assert_eq!(header[128..], [0, 0, 6, 0, 0, 0, 0, 46]);
        assert_eq!(Geometry::parse(&header), Ok(geometry));
    }

    #[test]
    fn an_image_is_cut_into_blocks_of_which_the_last_may_be_short() {
        let size = BlockSize::new(512).unwrap();
        for (bytes, blocks) in [(1, 1), (511, 1), (512, 1), (513, 2), (5120, 10)] {
            assert_eq!(Geometry::of_image(bytes, size).unwrap().blocks(), blocks);
        }
        assert_eq!(Geometry::of_image(0, size), Err(Problem::Empty));
        let most = 512 * u64::from(u32::MAX);
        assert_eq!(Geometry::of_image(most, size).unwrap().blocks(), u32::MAX);
        assert_eq!(
            Geometry::of_image(most + 1, size),
            Err(Problem::TooManyBlocks {
                image: most + 1,
                block_size: 512
            })
        );
    }

    #[test]
    fn the_largest_geometry_overflows_nothing() {
        let geometry = Geometry::parse(&header(BlockSize::MAX, u32::MAX)).unwrap();
        assert_eq!(geometry.disk_bytes(), 0x7fff_fe00 * 0xffff_ffff);
        assert_eq!(geometry.data_start(), 136 + (8 << 32));
        assert_eq!(geometry.compressed_limit(), 0xffff_fc00);
    }

    #[test]
    fn a_byte_is_found_in_its_block_up_to_the_end_of_the_last() {
        let geometry = Geometry::parse(&header(1024, 2)).unwrap();
        for (byte, block, offset) in [(0, 0, 0), (1023, 0, 1023), (1024, 1, 0), (2047, 1, 1023)] {
            assert_eq!(geometry.locate(byte), Some(Position { block, offset }));
        }
        for byte in [2048, u64::MAX] {
            assert_eq!(geometry.locate(byte), None);
        }
    }
}
