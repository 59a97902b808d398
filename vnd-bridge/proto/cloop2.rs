// SPDX-License-Identifier: GPL-2.0

//! Compressed images in the cloop2 format, as vndcompress(1) writes and vnd(4) reads them.
//!
//! # The format
//!
//! An image is cut into *blocks* of equal size, each of which is compressed by itself, so that any
//! of them can be read without the others. All numbers are big-endian and unsigned.
//!
//! | Offset | Bytes | |
//! |---|---|---|
//! | 0 | 128 | the [`PREAMBLE`], a shell script that once loaded a driver for the file |
//! | 128 | 4 | the block size, in bytes |
//! | 132 | 4 | the number of blocks, N |
//! | 136 | 8 (N + 1) | the *offset table*: where in the file each block begins, and where the last ends |
//! | then | | N zlib streams (RFC 1950), back to back |
//! | then | | zeroes up to a multiple of 512 |
//!
//! The last block may inflate to less than the block size. No field says how long the image was: a
//! disk has whole blocks, and reads zeroes behind the end of the last.
//!
//! While an image is being written, the entries of blocks that are not there yet are all ones, and
//! the first 136 bytes are zeroes until it is worth to be continued.
//!
//! # How it is read
//!
//! [`Geometry::parse`] reads the header. [`Table`] is fed the entries of the offset table one by
//! one, as they come from the file, and gives an [`Extent`] for each block: one that exists lies
//! within the file, behind all that came before it, and has a reasonable length. A [`Problem`] says
//! what is wrong with an image.

mod geometry;
mod problem;
mod table;

pub use geometry::{
    BlockSize,
    Geometry,
    Position, //
};
pub use problem::Problem;
pub use table::{
    Extent,
    Table, //
};

/// Bytes from the beginning of the file to the offset table.
pub const HEADER_BYTES: usize = 136;

/// Bytes of an entry of the offset table.
pub const ENTRY_BYTES: usize = 8;

/// The entry of a block that has not been written yet.
pub const UNWRITTEN: [u8; ENTRY_BYTES] = [0xff; ENTRY_BYTES];

/// The unit of block sizes, and what the length of the file is a multiple of.
pub const SECTOR_BYTES: u32 = 512;

/// Bytes that are reserved for the preamble.
const PREAMBLE_BYTES: usize = 128;

/// The text an image begins with; NULs fill it up to 128 bytes.
///
/// Whoever reads an image must not insist on it: NetBSD's vnd(4) does not look at it.
pub const PREAMBLE: &[u8] = b"#!/bin/sh\n\
    #V2.0 Format\n\
    insmod cloop.o file=$0 && mount -r -t iso9660 /dev/cloop $1\n\
    exit $?\n";
