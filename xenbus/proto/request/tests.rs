// SPDX-License-Identifier: GPL-2.0

//! Which requests are valid, and what the others are told.

use super::*;
use crate::blkif::Status;
use crate::number::GrantRef;

mod direct;
mod discard;
mod indirect;

const LIMITS: DiskLimits = DiskLimits {
    sectors: 1000,
    read_only: false,
    logical_block_size: 512,
    partial_blocks: false,
    indirect_segments: 0,
    discard: Discards::Refused,
};
const BLOCKS_OF_4K: DiskLimits = DiskLimits {
    logical_block_size: 4096,
    ..LIMITS
};

const READ: u8 = 0;
const WRITE: u8 = 1;
const BARRIER: u8 = 2;
const FLUSH: u8 = 3;
const DISCARD: u8 = 5;
const INDIRECT: u8 = 6;

/// First and last sector of each segment.
type Segments = &'static [(u8, u8)];

/// The start of an entry, up to the sector, as a frontend makes it.
fn head(abi: Abi, first: [u8; 4], start: u64) -> Vec<u8> {
    let mut bytes = first.to_vec();
    if abi == Abi::X86_64 {
        bytes.extend([0xcc; 4]);
    }
    bytes.extend(0x0123_4567_89ab_cdefu64.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes
}

/// An entry that starts so.
fn entry(mut bytes: Vec<u8>) -> RawSlot {
    bytes.resize(112, 0xee);
    RawSlot::new(bytes.try_into().unwrap())
}

/// Segments as they are written down; their grant references count up from this one.
fn list(first_gref: u32, segments: &[(u8, u8)]) -> Vec<u8> {
    let segments = (first_gref..).zip(segments);
    segments
        .flat_map(|(gref, &(first, last))| {
            let [g0, g1, g2, g3] = gref.to_le_bytes();
            [g0, g1, g2, g3, first, last, 0xdd, 0xdd]
        })
        .collect()
}

/// Where the data of a transfer is: page, offset and length.
fn places(transfer: &Transfer, room: &[Segment]) -> Vec<(u32, u32, u32)> {
    let segments = transfer.segments(room).iter();
    segments
        .map(|segment| (segment.gref().0, segment.offset(), segment.len()))
        .collect()
}

fn bad_segment(first: u8, last: u8) -> Reason {
    Reason::SegmentSectors { first, last }
}

fn out_of_range(start: u64, sectors: u64) -> Reason {
    Reason::OutOfRange { start, sectors }
}

fn misaligned(start: u64, sectors: u64) -> Reason {
    Reason::Misaligned { start, sectors }
}

/// What a request that is wrong for this reason gets.
fn refused(reason: Reason) -> Reject {
    let status = match reason {
        Reason::UnknownOperation(_) | Reason::SecureDiscard => Status::Unsupported,
        _ => Status::Error,
    };
    Reject { status, reason }
}

#[test]
fn reasons_are_in_the_words_of_netbsd() {
    let table = [
        (Reason::UnknownOperation(4), "unknown operation 4"),
        (Reason::TooManySegments, "too many segments"),
        (Reason::NoSegments, "invalid number of segments"),
        (bad_segment(9, 200), "invalid segment sectors 9 200"),
    ];
    for (reason, words) in table {
        assert_eq!(reason.to_string(), words);
    }
}

/// Requests are handed on by the thousand, so they stay small.
#[test]
fn requests_are_small() {
    assert_eq!(size_of::<Segment>(), 8);
    assert!(size_of::<Request>() <= 32);
    assert!(size_of::<Parsed>() <= 64);
}
