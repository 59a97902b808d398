// SPDX-License-Identifier: GPL-2.0

//! Requests whose segments are in pages of their own.

use super::*;

const OFFERED: DiskLimits = DiskLimits {
    sectors: 100_000,
    indirect_segments: u16::MAX,
    ..LIMITS
};
const OFFERED_256: DiskLimits = DiskLimits {
    indirect_segments: 256,
    ..OFFERED
};
const READ_ONLY: DiskLimits = DiskLimits {
    read_only: true,
    ..OFFERED
};
const INDIRECT_BLOCKS_OF_4K: DiskLimits = DiskLimits {
    indirect_segments: 256,
    ..BLOCKS_OF_4K
};

const FULL: (u8, u8) = (0, 7);

/// Builds an entry; the pages' grant references are 50, 51, ….
fn indirect(abi: Abi, operation: u8, count: u16, start: u64) -> RawSlot {
    let [low, high] = count.to_le_bytes();
    let mut bytes = head(abi, [INDIRECT, operation, low, high], start);
    bytes.extend([0xaa, 0xbb, 0xcc, 0xcc]);
    bytes.extend((50u32..58).flat_map(u32::to_le_bytes));
    entry(bytes)
}

/// Parses a request of these segments, whose grant references are 100, 101, …, as a backend does.
fn parse_all(
    abi: Abi,
    operation: u8,
    start: u64,
    segments: &[(u8, u8)],
    limits: &DiskLimits,
    room: &mut [Segment],
) -> Result<Request, Reject> {
    let raw = indirect(abi, operation, segments.len() as u16, start);
    assert_eq!(raw.answered_operation(), operation);
    let mut indirect = match parse(&raw, abi, limits, room)? {
        Parsed::Indirect(indirect) => indirect,
        Parsed::Request(request) => panic!("{request:?}"),
    };
    // What is behind the last segment of the last page is rubbish.
    let mut memory = list(100, segments);
    memory.resize(segments.len().div_ceil(512) * 4096, 0xff);
    for page in memory.chunks(4096) {
        indirect.parse_page(page, limits, room)?;
    }
    indirect.finish(limits)
}

#[test]
fn segments_are_collected_from_all_pages_in_both_layouts() {
    for count in [1, 2, 12, 256, 511, 512, 513, 1024, 4095, 4096] {
        for (abi, operation) in [(Abi::X86_32, READ), (Abi::X86_64, WRITE)] {
            let mut room = [Segment::UNUSED; 4096];
            let mut segments = vec![FULL; count];
            segments[count - 1] = (3, 4);
            let request = parse_all(abi, operation, 9, &segments, &OFFERED, &mut room);
            let transfer = match request {
                Ok(Request::Read(transfer)) if operation == READ => transfer,
                Ok(Request::Write(transfer)) if operation == WRITE => transfer,
                other => panic!("{other:?}"),
            };
            assert_eq!(
                (transfer.start(), transfer.count(), transfer.sectors()),
                (Sector(9), count, 8 * count as u32 - 6)
            );
            let places = places(&transfer, &room);
            for (number, place) in places[..count - 1].iter().enumerate() {
                assert_eq!(*place, (100 + number as u32, 0, 4096));
            }
            assert_eq!(places[count - 1], (99 + count as u32, 1536, 1024));
        }
    }
}

/// No more of the frontend's memory is copied than holds segments.
#[test]
fn pages_are_named_with_what_they_hold() {
    let table: [(u16, &[(u32, usize)]); 5] = [
        (1, &[(50, 8)]),
        (256, &[(50, 2048)]),
        (512, &[(50, 4096)]),
        (513, &[(50, 4096), (51, 8)]),
        (1100, &[(50, 4096), (51, 4096), (52, 608)]),
    ];
    for abi in [Abi::X86_32, Abi::X86_64] {
        for (count, expected) in table {
            let raw = indirect(abi, READ, count, 0);
            let Ok(Parsed::Indirect(indirect)) = parse(&raw, abi, &OFFERED, &mut []) else {
                panic!("refused");
            };
            let expected = expected.iter().map(|&(gref, len)| (GrantRef(gref), len));
            assert!(indirect.pages().eq(expected));
            assert_eq!(indirect.count(), usize::from(count));
        }
        let raw = indirect(abi, READ, 4096, 0);
        let Ok(Parsed::Indirect(indirect)) = parse(&raw, abi, &OFFERED, &mut []) else {
            panic!("refused");
        };
        let expected = (50..58).map(|gref| (GrantRef(gref), 4096));
        assert!(indirect.pages().eq(expected));
    }
}

/// R2, R23: what is wrong with the entry is found before any page is looked at.
#[test]
fn invalid_entries_are_refused_with_a_reason() {
    use Reason::*;

    let table = [
        (READ, 8, LIMITS, UnknownOperation(6)),
        (77, 8, LIMITS, UnknownOperation(6)),
        (FLUSH, 8, OFFERED, IndirectOperation(3)),
        (BARRIER, 8, OFFERED, IndirectOperation(2)),
        (DISCARD, 8, OFFERED, IndirectOperation(5)),
        (INDIRECT, 8, OFFERED, IndirectOperation(6)),
        (255, 8, OFFERED, IndirectOperation(255)),
        (READ, 0, OFFERED, NoSegments),
        (READ, 257, OFFERED_256, TooManySegments),
        (READ, 4097, OFFERED, TooManySegments),
        (READ, 0xff01, OFFERED_256, TooManySegments),
        (READ, u16::MAX, OFFERED, TooManySegments),
        (WRITE, 8, READ_ONLY, ReadOnly),
    ];
    for (operation, count, limits, reason) in table {
        for abi in [Abi::X86_32, Abi::X86_64] {
            let raw = indirect(abi, operation, count, 0);
            let parsed = parse(&raw, abi, &limits, &mut []);
            assert_eq!(parsed, Err(refused(reason)));
        }
    }
}

/// R2: segments in pages are judged as those in entries, wherever the bad one is.
#[test]
fn invalid_segments_are_refused_with_a_reason() {
    let table = [
        ((0, 8), OFFERED, bad_segment(0, 8)),
        ((3, 2), OFFERED, bad_segment(3, 2)),
        ((255, 255), OFFERED, bad_segment(255, 255)),
        ((0, 6), INDIRECT_BLOCKS_OF_4K, misaligned(8, 7)),
    ];
    for (bad, limits, reason) in table {
        for (count, place) in [(1, 0), (100, 99), (256, 0), (256, 255)] {
            let mut room = [Segment::UNUSED; 256];
            let mut segments = vec![FULL; count];
            segments[place] = bad;
            let request = parse_all(Abi::X86_64, READ, 8, &segments, &limits, &mut room);
            assert_eq!(request, Err(refused(reason)));
        }
    }
}

#[test]
fn the_whole_request_must_fit_the_disk() {
    const LAST: u64 = u64::MAX;
    let table = [
        (99_992, 1, None),
        (99_984, 2, None),
        (99_993, 1, Some(out_of_range(99_993, 8))),
        (0, 4096, None),
        (70_000, 4096, Some(out_of_range(70_000, 32_768))),
        (LAST, 1, Some(out_of_range(LAST, 8))),
    ];
    for (start, count, reason) in table {
        let mut room = [Segment::UNUSED; 4096];
        let segments = vec![FULL; count];
        let request = parse_all(Abi::X86_32, WRITE, start, &segments, &OFFERED, &mut room);
        assert_eq!(request.err(), reason.map(refused));
    }
}

/// The caller's mistakes end in a refusal too.
#[test]
fn a_request_is_not_made_of_segments_that_were_not_seen() {
    let raw = indirect(Abi::X86_64, READ, 600, 0);
    let Ok(Parsed::Indirect(indirect)) = parse(&raw, Abi::X86_64, &OFFERED, &mut []) else {
        panic!("refused");
    };
    let mut room = [Segment::UNUSED; 600];
    let page = [0; 4096];

    let mut one_page = indirect;
    assert_eq!(one_page.finish(&OFFERED), Err(refused(Reason::NoSegments)));
    one_page.parse_page(&page, &OFFERED, &mut room).unwrap();
    assert_eq!(one_page.finish(&OFFERED), Err(refused(Reason::NoSegments)));
    one_page.parse_page(&page, &OFFERED, &mut room).unwrap();
    assert!(one_page.finish(&OFFERED).is_ok());
    // One page too many changes nothing.
    one_page.parse_page(&page, &OFFERED, &mut room).unwrap();
    assert!(one_page.finish(&OFFERED).is_ok());

    let mut no_room = indirect;
    assert_eq!(
        no_room.parse_page(&page, &OFFERED, &mut room[..599]),
        Err(refused(Reason::TooManySegments))
    );
}
