// SPDX-License-Identifier: GPL-2.0

//! The parser against an oracle that is written differently: wide numbers, every rule spelled out,
//! the entry taken apart by hand.

use proptest::prelude::*;
use xenbus_proto::abi::Abi;
use xenbus_proto::blkif::Status;
use xenbus_proto::request::{
    parse,
    DiskLimits,
    Request, //
};
use xenbus_proto::slot::RawSlot;

/// What the oracle says of a request: the bytes it moves, as (page, offset, length), or the status
/// it is refused with.
#[derive(Debug, PartialEq)]
enum Verdict {
    Moves {
        operation: u8,
        start: u64,
        pieces: Vec<(u32, u32, u32)>,
    },
    Refused(Status),
}

fn oracle(raw: &[u8; 112], abi: Abi, limits: &DiskLimits) -> Verdict {
    let (id, width) = match abi {
        Abi::X86_32 => (4, 108),
        Abi::X86_64 => (8, 112),
    };
    let entry = &raw[..width];
    let start = u64::from_le_bytes(entry[id + 8..id + 16].try_into().unwrap());
    let segments: Vec<_> = entry[id + 16..].chunks_exact(8).collect();
    assert_eq!(segments.len(), 11);
    let (operation, count) = (entry[0], usize::from(entry[1]));

    if operation > 3 {
        return Verdict::Refused(Status::Unsupported);
    }
    let moves_data = operation < 2 || count > 0;
    let writes = operation != 0 && moves_data;
    if count > 11 || (moves_data && count == 0) || (writes && limits.read_only) {
        return Verdict::Refused(Status::Error);
    }
    let mut pieces = Vec::new();
    let mut end = u128::from(start) * 512;
    for segment in &segments[..count] {
        let page = u32::from_le_bytes(segment[..4].try_into().unwrap());
        let sectors: Vec<u8> = (0..8)
            .filter(|sector| (segment[4]..=segment[5]).contains(sector))
            .collect();
        let length = 512 * sectors.len() as u32;
        if segment[5] > 7 || sectors.is_empty() || length % limits.logical_block_size.min(4096) != 0
        {
            return Verdict::Refused(Status::Error);
        }
        pieces.push((page, 512 * u32::from(segment[4]), length));
        end += u128::from(length);
    }
    let block = u128::from(limits.logical_block_size);
    let aligned = u128::from(start) * 512 % block == 0 && end % block == 0;
    if moves_data && (!aligned || end > u128::from(limits.sectors) * 512) {
        return Verdict::Refused(Status::Error);
    }
    let start = if moves_data { start } else { 0 };
    Verdict::Moves {
        operation,
        start,
        pieces,
    }
}

fn verdict(raw: &RawSlot, abi: Abi, limits: &DiskLimits) -> Verdict {
    let (operation, transfer) = match parse(raw, abi, limits) {
        Ok(Request::Read(transfer)) => (0, Some(transfer)),
        Ok(Request::Write(transfer)) => (1, Some(transfer)),
        Ok(Request::Barrier(transfer)) => (2, transfer),
        Ok(Request::Flush(transfer)) => (3, transfer),
        Err(reject) => return Verdict::Refused(reject.status),
    };
    if let Some(transfer) = transfer {
        let bytes: u32 = transfer
            .segments()
            .iter()
            .map(|segment| segment.len())
            .sum();
        assert_eq!(transfer.len(), bytes);
        assert_eq!(transfer.len(), transfer.sectors() * 512);
    }
    Verdict::Moves {
        operation,
        start: transfer.map_or(0, |transfer| transfer.start().0),
        pieces: transfer.map_or(Vec::new(), |transfer| {
            let segments = transfer.segments().iter();
            segments
                .map(|segment| (segment.gref().0, segment.offset(), segment.len()))
                .collect()
        }),
    }
}

fn abi() -> impl Strategy<Value = Abi> {
    prop_oneof![Just(Abi::X86_32), Just(Abi::X86_64)]
}

fn limits() -> impl Strategy<Value = DiskLimits> {
    let sectors = prop_oneof![Just(0), 0u64..200, Just(u64::MAX), any::<u64>()];
    let block = prop_oneof![4 => Just(512u32), 1 => (9u32..=16).prop_map(|shift| 1 << shift)];
    (sectors, any::<bool>(), block).prop_map(|(sectors, read_only, logical_block_size)| {
        DiskLimits {
            sectors,
            read_only,
            logical_block_size,
        }
    })
}

/// Entries that are nearly right: rubbish would hardly ever be valid.
fn plausible() -> impl Strategy<Value = (Abi, [u8; 112])> {
    let start = prop_oneof![4 => 0u64..200, 1 => (u64::MAX - 200)..=u64::MAX, 1 => any::<u64>()];
    let sector = prop_oneof![30 => 0u8..8, 1 => any::<u8>()];
    let segment = prop_oneof![
        2 => (any::<u32>(), Just(0u8), Just(7u8)),
        3 => (any::<u32>(), sector.clone(), sector)
            .prop_map(|(page, a, b)| (page, a.min(b), a.max(b))),
    ];
    let count = prop_oneof![20 => 0u8..=12, 1 => any::<u8>()];
    let operation = prop_oneof![20 => 0u8..=6, 1 => any::<u8>()];
    let segments = proptest::collection::vec(segment, 11);
    (abi(), operation, count, start, segments, any::<[u8; 112]>()).prop_map(
        |(abi, operation, count, start, segments, mut raw)| {
            let id = if abi == Abi::X86_32 { 4 } else { 8 };
            raw[0] = operation;
            raw[1] = count;
            raw[id + 8..id + 16].copy_from_slice(&start.to_le_bytes());
            for (place, (page, first, last)) in raw[id + 16..].chunks_exact_mut(8).zip(segments) {
                place[..4].copy_from_slice(&page.to_le_bytes());
                place[4] = first;
                place[5] = last;
            }
            (abi, raw)
        },
    )
}

proptest! {
    #![proptest_config(crate::cases(2000))]

    /// R2, R23.
    #[test]
    fn plausible_requests_are_judged_alike((abi, raw) in plausible(), limits in limits()) {
        prop_assert_eq!(verdict(&RawSlot::new(raw), abi, &limits), oracle(&raw, abi, &limits));
    }

    #[test]
    fn rubbish_is_judged_alike(raw in any::<[u8; 112]>(), abi in abi(), limits in limits()) {
        prop_assert_eq!(verdict(&RawSlot::new(raw), abi, &limits), oracle(&raw, abi, &limits));
    }
}
