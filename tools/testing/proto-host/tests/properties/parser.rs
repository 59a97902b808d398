// SPDX-License-Identifier: GPL-2.0

//! The parser against an oracle that is written differently: wide numbers, every rule spelled out,
//! the entry taken apart by hand.

use proptest::prelude::*;
use xenbus_proto::abi::Abi;
use xenbus_proto::blkif::Status;
use xenbus_proto::request::{
    parse,
    Discards,
    DiskLimits,
    Parsed,
    Reject,
    Request,
    Segment,
    Transfer, //
};
use xenbus_proto::slot::RawSlot;

/// Where a frontend's segments of indirect requests are: page after page.
type Tables = [Vec<u8>];

/// What is said of a request: the bytes it moves, as (page, offset, length), or the status it is
/// refused with.
#[derive(Debug, PartialEq)]
enum Verdict {
    Moves {
        operation: u8,
        start: u64,
        pieces: Vec<(u32, u32, u32)>,
    },
    Discards {
        start: u64,
        sectors: u64,
        secure: bool,
    },
    Nothing,
    Refused(Status),
}

const UNSUPPORTED: Verdict = Verdict::Refused(Status::Unsupported);
const ERROR: Verdict = Verdict::Refused(Status::Error);

fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(&bytes[at..at + N]);
    u64::from_le_bytes(wide)
}

fn oracle(raw: &[u8; 112], abi: Abi, limits: &DiskLimits, tables: &Tables) -> Verdict {
    let (id, width) = match abi {
        Abi::X86_32 => (4, 108),
        Abi::X86_64 => (8, 112),
    };
    let entry = &raw[..width];
    let start = number::<8>(entry, id + 8);
    match entry[0] {
        0..=3 => {
            let segments: Vec<_> = entry[id + 16..].chunks_exact(8).collect();
            assert_eq!(segments.len(), 11);
            oracle_of_data(entry[0], start, usize::from(entry[1]), &segments, limits)
        }
        5 => oracle_of_discard(entry[1], start, number::<8>(entry, id + 16), limits),
        6 if limits.indirect_segments > 0 => {
            let count = number::<2>(entry, 2) as usize;
            if entry[1] > 1 || count > usize::from(limits.indirect_segments) {
                return ERROR;
            }
            let segments: Vec<_> = tables
                .iter()
                .flat_map(|page| page.chunks_exact(8))
                .collect();
            oracle_of_data(entry[1], start, count, &segments, limits)
        }
        _ => UNSUPPORTED,
    }
}

/// Whether a range of sectors can be touched, and all of the blocks that it has parts of.
fn fits(start: u64, sectors: u128, limits: &DiskLimits) -> bool {
    let block = u128::from(limits.logical_block_size);
    let (from, length) = (u128::from(start) * 512, sectors * 512);
    let size = u128::from(limits.sectors) * 512;
    if from + length > size {
        return false;
    }
    let whole = from % block == 0 && length % block == 0;
    whole || (limits.partial_blocks && (from + length).next_multiple_of(block) <= size)
}

fn oracle_of_data(
    operation: u8,
    start: u64,
    count: usize,
    segments: &[&[u8]],
    limits: &DiskLimits,
) -> Verdict {
    if operation >= 2 && count == 0 {
        return Verdict::Moves {
            operation,
            start: 0,
            pieces: Vec::new(),
        };
    }
    if count == 0 || count > segments.len() || (operation != 0 && limits.read_only) {
        return ERROR;
    }
    let mut pieces = Vec::new();
    for segment in &segments[..count] {
        let page = number::<4>(segment, 0) as u32;
        let sectors: Vec<u8> = (0..8)
            .filter(|sector| (segment[4]..=segment[5]).contains(sector))
            .collect();
        let length = 512 * sectors.len() as u32;
        let whole = length % limits.logical_block_size.min(4096) == 0;
        if segment[5] > 7 || sectors.is_empty() || !(whole || limits.partial_blocks) {
            return ERROR;
        }
        pieces.push((page, 512 * u32::from(segment[4]), length));
    }
    let length: u32 = pieces.iter().map(|(_, _, length)| length).sum();
    if !fits(start, u128::from(length / 512), limits) {
        return ERROR;
    }
    Verdict::Moves {
        operation,
        start,
        pieces,
    }
}

/// Of the blocks, those are forgotten that lie within the range.
fn oracle_of_partial_discard(secure: bool, start: u64, end: u64, block: u64) -> Verdict {
    let (first, end) = (start.checked_next_multiple_of(block), end / block * block);
    match first.filter(|&first| first < end) {
        _ if secure => ERROR,
        Some(first) => Verdict::Discards {
            start: first,
            sectors: end - first,
            secure,
        },
        None => Verdict::Nothing,
    }
}

fn oracle_of_discard(flags: u8, start: u64, sectors: u64, limits: &DiskLimits) -> Verdict {
    let secure = flags % 2 == 1;
    match limits.discard {
        Discards::Refused => return UNSUPPORTED,
        Discards::Ordinary if secure => return UNSUPPORTED,
        _ => {}
    }
    let block = u64::from(limits.logical_block_size / 512);
    let end = u128::from(start) + u128::from(sectors);
    let whole = start % block == 0 && sectors % block == 0;
    if limits.read_only || end > limits.sectors.into() || !(whole || limits.partial_blocks) {
        return ERROR;
    }
    if !whole {
        return oracle_of_partial_discard(secure, start, start + sectors, block);
    }
    match sectors {
        0 => Verdict::Nothing,
        _ => Verdict::Discards {
            start,
            sectors,
            secure,
        },
    }
}

fn verdict(raw: &[u8; 112], abi: Abi, limits: &DiskLimits, tables: &Tables) -> Verdict {
    let mut room = vec![Segment::UNUSED; 4096];
    let (operation, transfer) = match parse_all(raw, abi, limits, tables, &mut room) {
        Ok(Request::Read(transfer)) => (0, Some(transfer)),
        Ok(Request::Write(transfer)) => (1, Some(transfer)),
        Ok(Request::Barrier(transfer)) => (2, transfer),
        Ok(Request::Flush(transfer)) => (3, transfer),
        Ok(Request::Discard(None)) => return Verdict::Nothing,
        Ok(Request::Discard(Some(discard))) => {
            return Verdict::Discards {
                start: discard.start().0,
                sectors: discard.sectors(),
                secure: discard.secure(),
            }
        }
        Err(reject) => return Verdict::Refused(reject.status),
    };
    Verdict::Moves {
        operation,
        start: transfer.map_or(0, |transfer| transfer.start().0),
        pieces: transfer.map_or(Vec::new(), |transfer| pieces(&transfer, &room)),
    }
}

fn parse_all(
    raw: &[u8; 112],
    abi: Abi,
    limits: &DiskLimits,
    tables: &Tables,
    room: &mut [Segment],
) -> Result<Request, Reject> {
    let mut indirect = match parse(&RawSlot::new(*raw), abi, limits, room)? {
        Parsed::Request(request) => return Ok(request),
        Parsed::Indirect(indirect) => indirect,
    };
    let sizes: Vec<_> = indirect.pages().map(|(_, bytes)| bytes).collect();
    for (table, bytes) in tables.iter().zip(sizes) {
        indirect.parse_page(&table[..bytes], limits, room)?;
    }
    indirect.finish(limits)
}

/// Where the data of a transfer is.
fn pieces(transfer: &Transfer, room: &[Segment]) -> Vec<(u32, u32, u32)> {
    let segments = transfer.segments(room);
    let bytes: u32 = segments.iter().map(|segment| segment.len()).sum();
    assert_eq!(transfer.len(), bytes);
    assert_eq!(transfer.len(), transfer.sectors() * 512);
    segments
        .iter()
        .map(|segment| (segment.gref().0, segment.offset(), segment.len()))
        .collect()
}

fn abi() -> impl Strategy<Value = Abi> {
    prop_oneof![Just(Abi::X86_32), Just(Abi::X86_64)]
}

prop_compose! {
    fn limits()(
        sectors in prop_oneof![Just(0), 0u64..200, 0u64..40_000, Just(u64::MAX), any::<u64>()],
        read_only in proptest::bool::weighted(0.3),
        logical_block_size in prop_oneof![4 => Just(512u32), 1 => (9u32..=16).prop_map(|shift| 1 << shift)],
        partial_blocks in any::<bool>(),
        indirect_segments in prop_oneof![Just(0), Just(256), Just(u16::MAX), any::<u16>()],
        discard in prop_oneof![Just(Discards::Refused), Just(Discards::Ordinary), Just(Discards::Secure)],
    ) -> DiskLimits {
        DiskLimits {
            sectors,
            read_only,
            logical_block_size,
            partial_blocks,
            indirect_segments,
            discard,
        }
    }
}

fn start() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0u64..200, 1 => (u64::MAX - 200)..=u64::MAX, 1 => any::<u64>()]
}

/// A segment; one in `rubbish` may be anything.
fn segment(rubbish: u32) -> impl Strategy<Value = [u8; 8]> {
    let sector = prop_oneof![3 => 0u8..=9, 1 => any::<u8>()];
    let sectors = prop_oneof![
        rubbish => Just((0u8, 7u8)),
        rubbish => (0u8..8, 0u8..8).prop_map(|(a, b)| (a.min(b), a.max(b))),
        2 => (sector.clone(), sector),
    ];
    (any::<u32>(), sectors, any::<[u8; 2]>()).prop_map(|(page, (first, last), padding)| {
        let mut bytes = [first; 8];
        bytes[..4].copy_from_slice(&page.to_le_bytes());
        bytes[5] = last;
        bytes[6..].copy_from_slice(&padding);
        bytes
    })
}

/// Pages of segments, nearly all of which are right. The segments of a page repeat: it is large.
fn tables() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let page = proptest::collection::vec(segment(1000), 1..8).prop_map(|segments| {
        let segments = segments.into_iter().cycle().take(512);
        segments.flatten().collect()
    });
    proptest::collection::vec(page, 8)
}

/// Entries that are nearly right: rubbish would hardly ever be valid.
fn plausible() -> impl Strategy<Value = (Abi, [u8; 112])> {
    let count = prop_oneof![20 => 0u8..=12, 1 => any::<u8>()];
    let operation = prop_oneof![20 => 0u8..=3, 1 => any::<u8>()];
    let segments = proptest::collection::vec(segment(30), 11);
    (
        abi(),
        operation,
        count,
        start(),
        segments,
        any::<[u8; 112]>(),
    )
        .prop_map(|(abi, operation, count, start, segments, mut raw)| {
            let id = if abi == Abi::X86_32 { 4 } else { 8 };
            raw[0] = operation;
            raw[1] = count;
            raw[id + 8..id + 16].copy_from_slice(&start.to_le_bytes());
            for (place, segment) in raw[id + 16..].chunks_exact_mut(8).zip(segments) {
                place.copy_from_slice(&segment);
            }
            (abi, raw)
        })
}

/// Discards and indirect requests that are nearly right.
fn plausible_others() -> impl Strategy<Value = (Abi, [u8; 112])> {
    let inner = prop_oneof![20 => 0u8..=1, 1 => any::<u8>()];
    let count = prop_oneof![
        4 => 0u16..300,
        2 => 500u16..530,
        1 => 4090u16..4100,
        1 => any::<u16>(),
    ];
    let sectors = prop_oneof![4 => 0u64..200, 1 => any::<u64>()];
    let operation = prop_oneof![Just(5u8), Just(6u8)];
    (
        abi(),
        operation,
        inner,
        count,
        start(),
        sectors,
        any::<[u8; 112]>(),
    )
        .prop_map(|(abi, operation, inner, count, start, sectors, mut raw)| {
            let id = if abi == Abi::X86_32 { 4 } else { 8 };
            raw[0] = operation;
            raw[1] = inner;
            raw[2..4].copy_from_slice(&count.to_le_bytes());
            raw[id + 8..id + 16].copy_from_slice(&start.to_le_bytes());
            raw[id + 16..id + 24].copy_from_slice(&sectors.to_le_bytes());
            (abi, raw)
        })
}

proptest! {
    #![proptest_config(crate::cases(2000))]

    /// R2, R23.
    #[test]
    fn plausible_requests_are_judged_alike((abi, raw) in plausible(), limits in limits()) {
        prop_assert_eq!(verdict(&raw, abi, &limits, &[]), oracle(&raw, abi, &limits, &[]));
    }

    /// R2, R23.
    #[test]
    fn discards_and_indirect_requests_are_judged_alike(
        (abi, raw) in plausible_others(),
        limits in limits(),
        tables in tables(),
    ) {
        prop_assert_eq!(verdict(&raw, abi, &limits, &tables), oracle(&raw, abi, &limits, &tables));
    }

    #[test]
    fn rubbish_is_judged_alike(
        raw in any::<[u8; 112]>(),
        abi in abi(),
        limits in limits(),
        tables in tables(),
    ) {
        prop_assert_eq!(verdict(&raw, abi, &limits, &tables), oracle(&raw, abi, &limits, &tables));
    }
}
