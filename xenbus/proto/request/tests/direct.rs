// SPDX-License-Identifier: GPL-2.0

//! Requests whose segments are all in the entry.

use super::*;

const READ_ONLY: DiskLimits = DiskLimits {
    read_only: true,
    ..LIMITS
};
const BLOCKS_OF_8K: DiskLimits = DiskLimits {
    logical_block_size: 8192,
    ..LIMITS
};

/// Builds an entry; the segments' grant references are 100, 101, ….
fn direct(abi: Abi, operation: u8, count: u8, start: u64, segments: &[(u8, u8)]) -> RawSlot {
    let mut bytes = head(abi, [operation, count, 0xaa, 0xbb], start);
    bytes.extend(list(100, segments));
    bytes.truncate(112);
    entry(bytes)
}

fn parse_one(
    operation: u8,
    start: u64,
    segments: &[(u8, u8)],
    limits: &DiskLimits,
) -> Result<Request, Reject> {
    let mut room = [Segment::UNUSED; 11];
    let count = segments.len() as u8;
    let raw = direct(Abi::X86_64, operation, count, start, segments);
    match parse(&raw, Abi::X86_64, limits, &mut room)? {
        Parsed::Request(request) => Ok(request),
        Parsed::Indirect(indirect) => panic!("{indirect:?}"),
    }
}

#[test]
fn fields_are_found_in_both_layouts() {
    for abi in [Abi::X86_32, Abi::X86_64] {
        let raw = direct(abi, READ, 2, 7, &[(1, 7), (0, 0)]);
        assert_eq!(
            (raw.id(abi), raw.operation(), raw.answered_operation()),
            (0x0123_4567_89ab_cdef, READ, READ)
        );
        let mut room = [Segment::UNUSED; 11];
        let Ok(Parsed::Request(Request::Read(transfer))) = parse(&raw, abi, &LIMITS, &mut room)
        else {
            panic!("refused in {abi:?}");
        };
        assert_eq!(
            (transfer.start(), transfer.sectors(), transfer.len()),
            (Sector(7), 8, 4096)
        );
        assert_eq!(places(&transfer, &room), [(100, 512, 3584), (101, 0, 512)]);
        assert_eq!(room[2], Segment::UNUSED);
    }
}

#[test]
fn a_request_can_have_eleven_full_segments() {
    let Ok(Request::Write(transfer)) = parse_one(WRITE, 912, &[(0, 7); 11], &LIMITS) else {
        panic!("refused");
    };
    assert_eq!((transfer.count(), transfer.len()), (11, 45056));
}

/// With less room than it should have, a request is refused, never cut.
#[test]
fn segments_without_room_are_too_many() {
    let raw = direct(Abi::X86_64, READ, 3, 0, &[(0, 7); 3]);
    let parsed = parse(&raw, Abi::X86_64, &LIMITS, &mut [Segment::UNUSED; 2]);
    assert_eq!(parsed, Err(refused(Reason::TooManySegments)));
}

const FULL: Segments = &[(0, 7)];
const ONE_SECTOR: Segments = &[(0, 0)];

/// R2, R5, R23: each is answered, and with the status its sender expects.
#[test]
fn invalid_requests_are_refused_with_a_reason() {
    use Reason::*;

    const LAST: u64 = u64::MAX;
    let table: [(u8, u64, Segments, DiskLimits, Reason); 26] = [
        (4, 0, FULL, LIMITS, UnknownOperation(4)),
        (5, 0, FULL, LIMITS, UnknownOperation(5)),
        (6, 0, FULL, LIMITS, UnknownOperation(6)),
        (7, 0, FULL, LIMITS, UnknownOperation(7)),
        (255, 0, &[], READ_ONLY, UnknownOperation(255)),
        (READ, 0, &[], LIMITS, NoSegments),
        (WRITE, 0, &[], LIMITS, NoSegments),
        (READ, 0, &[(0, 7); 12], LIMITS, TooManySegments),
        (FLUSH, 0, &[(0, 7); 12], LIMITS, TooManySegments),
        (READ, 0, &[(0, 7); 255], LIMITS, TooManySegments),
        (READ, 0, &[(0, 8)], LIMITS, bad_segment(0, 8)),
        (READ, 0, &[(0, 7), (3, 2)], LIMITS, bad_segment(3, 2)),
        (READ, 0, &[(255, 255)], LIMITS, bad_segment(255, 255)),
        (WRITE, 0, &[(255, 0)], LIMITS, bad_segment(255, 0)),
        (WRITE, 0, FULL, READ_ONLY, ReadOnly),
        (FLUSH, 0, FULL, READ_ONLY, ReadOnly),
        (BARRIER, 0, FULL, READ_ONLY, ReadOnly),
        (READ, 993, FULL, LIMITS, out_of_range(993, 8)),
        (READ, 1000, ONE_SECTOR, LIMITS, out_of_range(1000, 1)),
        (BARRIER, LAST, ONE_SECTOR, LIMITS, out_of_range(LAST, 1)),
        (WRITE, LAST - 1, FULL, LIMITS, out_of_range(LAST - 1, 8)),
        (READ, 1 << 55, FULL, LIMITS, out_of_range(1 << 55, 8)),
        (READ, 4, FULL, BLOCKS_OF_4K, misaligned(4, 8)),
        (READ, 8, &[(0, 6), (0, 0)], BLOCKS_OF_4K, misaligned(8, 7)),
        (READ, 8, &[(0, 7); 2], BLOCKS_OF_8K, misaligned(8, 16)),
        (READ, 16, &[(0, 7); 3], BLOCKS_OF_8K, misaligned(16, 24)),
    ];
    for (operation, start, segments, limits, reason) in table {
        assert_eq!(
            parse_one(operation, start, segments, &limits),
            Err(refused(reason))
        );
    }
}

#[test]
fn what_lies_on_the_edge_is_valid() {
    let blocks_of_1k = DiskLimits {
        logical_block_size: 1024,
        ..LIMITS
    };
    let table: [(u8, u64, Segments, DiskLimits); 6] = [
        (READ, 992, FULL, LIMITS),
        (READ, 999, &[(7, 7)], LIMITS),
        (READ, 0, FULL, READ_ONLY),
        (WRITE, 992, FULL, BLOCKS_OF_4K),
        (WRITE, 16, &[(0, 7); 2], BLOCKS_OF_8K),
        (READ, 2, &[(1, 2)], blocks_of_1k),
    ];
    for (operation, start, segments, limits) in table {
        let request = parse_one(operation, start, segments, &limits);
        assert!(request.is_ok(), "{request:?}");
    }
}

/// An empty flush names no sectors, so it fits every disk: a refusal would make Linux give up
/// flushing.
#[test]
fn an_empty_flush_is_always_valid() {
    for limits in [
        LIMITS,
        READ_ONLY,
        BLOCKS_OF_4K,
        DiskLimits {
            sectors: 0,
            ..READ_ONLY
        },
    ] {
        assert_eq!(
            parse_one(FLUSH, u64::MAX, &[], &limits),
            Ok(Request::Flush(None))
        );
        assert_eq!(
            parse_one(BARRIER, u64::MAX, &[], &limits),
            Ok(Request::Barrier(None))
        );
    }
}

#[test]
fn a_flush_or_barrier_can_carry_a_write() {
    let Ok(Request::Write(write)) = parse_one(WRITE, 3, &[(0, 1)], &LIMITS) else {
        panic!("refused");
    };
    assert_eq!(
        parse_one(FLUSH, 3, &[(0, 1)], &LIMITS),
        Ok(Request::Flush(Some(write)))
    );
    assert_eq!(
        parse_one(BARRIER, 3, &[(0, 1)], &LIMITS),
        Ok(Request::Barrier(Some(write)))
    );
}

#[test]
fn an_empty_disk_has_nothing_to_read() {
    let empty = DiskLimits {
        sectors: 0,
        ..LIMITS
    };
    assert!(parse_one(READ, 0, &[(0, 0)], &empty).is_err());
}

/// R2: a transfer that is a part of blocks says which blocks, and where it lies in them.
#[test]
fn parts_of_blocks_are_taken_with_their_blocks() {
    const PARTS_OF_4K: DiskLimits = DiskLimits {
        partial_blocks: true,
        ..BLOCKS_OF_4K
    };
    // Start and segments; the blocks' first sector and bytes, the bytes before, whether it is partial.
    let table: [(u64, Segments, u64, u32, u32, bool); 6] = [
        (8, FULL, 8, 4096, 0, false),
        (8, &[(0, 6), (3, 3)], 8, 4096, 0, false),
        (0, ONE_SECTOR, 0, 4096, 0, true),
        (7, ONE_SECTOR, 0, 4096, 3584, true),
        (999, ONE_SECTOR, 992, 4096, 3584, true),
        (4, &[(0, 7), (0, 1)], 0, 8192, 2048, true),
    ];
    for (start, segments, first, bytes, before, partial) in table {
        let Ok(Request::Write(transfer)) = parse_one(WRITE, start, segments, &PARTS_OF_4K) else {
            panic!("refused at {start}");
        };
        assert_eq!(transfer.start(), Sector(start));
        assert_eq!(
            (transfer.blocks_start(), transfer.blocks_len()),
            (Sector(first), bytes)
        );
        assert_eq!(
            (transfer.bytes_before(), transfer.is_partial()),
            (before, partial)
        );
        assert_eq!(transfer.must_be_packed(), segments != FULL);
        assert_eq!(transfer.pages(), bytes as usize / 4096);
    }
    // The disk has only a part of its last block.
    let cut = DiskLimits {
        sectors: 1001,
        ..PARTS_OF_4K
    };
    assert_eq!(
        parse_one(READ, 1000, ONE_SECTOR, &cut),
        Err(refused(misaligned(1000, 1)))
    );
}
