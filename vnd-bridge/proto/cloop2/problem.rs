// SPDX-License-Identifier: GPL-2.0

//! What can be wrong with a compressed image.

use core::fmt;

use super::SECTOR_BYTES;

/// Why an image cannot be read or made; displayed as half a sentence for the administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file is shorter than a header.
    NoHeader {
        /// The size of the file, in bytes.
        file: u64,
    },
    /// The block size is zero or no multiple of 512.
    BlockSize {
        /// What it is.
        bytes: u32,
    },
    /// The block size is more than the reader can take.
    BlockSizeOverLimit {
        /// What it is.
        bytes: u32,
        /// What it may be.
        limit: u32,
    },
    /// There are no blocks.
    Empty,
    /// An image of this size has more blocks than can be counted.
    TooManyBlocks {
        /// The size of the image, in bytes.
        image: u64,
        /// The block size.
        block_size: u32,
    },
    /// There are more blocks than the reader can take.
    BlocksOverLimit {
        /// How many there are.
        blocks: u32,
        /// How many there may be.
        limit: u32,
    },
    /// The offset table does not fit into the file.
    TableBeyondEnd {
        /// How many blocks the header counts.
        blocks: u32,
        /// The size of the file, in bytes.
        file: u64,
    },
    /// The first block does not follow the offset table.
    FirstBlock {
        /// Where it begins.
        offset: u64,
        /// Where the table ends.
        expected: u64,
    },
    /// The image is partial: this block has not been written.
    Unwritten {
        /// The block's number.
        block: u32,
    },
    /// A block ends where it begins, or before.
    Order {
        /// The block's number.
        block: u32,
        /// Where it begins.
        start: u64,
        /// Where it ends.
        end: u64,
    },
    /// A block is longer than any that was compressed could be.
    BlockTooLong {
        /// The block's number.
        block: u32,
        /// Its length in the file.
        length: u64,
        /// What every length is less than.
        limit: u64,
    },
    /// A block ends behind the end of the file.
    BlockBeyondEnd {
        /// The block's number.
        block: u32,
        /// Where it ends.
        end: u64,
        /// The size of the file, in bytes.
        file: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoHeader { file } => write!(f, "a file of {file} bytes has no header"),
            Self::BlockSize { bytes: 0 } => f.write_str("the block size is 0"),
            Self::BlockSize { bytes } => {
                write!(
                    f,
                    "the block size is {bytes}, which is no multiple of {SECTOR_BYTES}"
                )
            }
            Self::BlockSizeOverLimit { bytes, limit } => {
                write!(f, "the block size is {bytes}, which is more than {limit}")
            }
            Self::Empty => f.write_str("there are no blocks"),
            Self::TooManyBlocks { image, block_size } => {
                write!(
                    f,
                    "{image} bytes are too many for blocks of {block_size} bytes"
                )
            }
            Self::BlocksOverLimit { blocks, limit } => {
                write!(f, "there are {blocks} blocks, which are more than {limit}")
            }
            Self::TableBeyondEnd { blocks, file } => write!(
                f,
                "the offset table of {blocks} blocks does not fit into a file of {file} bytes"
            ),
            Self::FirstBlock { offset, expected } => write!(
                f,
                "the first block begins at byte {offset}, and the offset table ends at {expected}"
            ),
            Self::Unwritten { block } => write!(
                f,
                "the image is partial: block {block} and those behind it were not written"
            ),
            Self::Order { block, start, end } => {
                write!(f, "block {block} begins at byte {start} and ends at {end}")
            }
            Self::BlockTooLong {
                block,
                length,
                limit,
            } => write!(
                f,
                "block {block} has {length} bytes, and must have less than {limit}"
            ),
            Self::BlockBeyondEnd { block, end, file } => write!(
                f,
                "block {block} ends at byte {end}, and the file has {file} bytes"
            ),
        }
    }
}

impl core::error::Error for Problem {}
