// SPDX-License-Identifier: GPL-2.0

//! Discards.

use super::*;

const ORDINARY: DiskLimits = DiskLimits {
    discard: Discards::Ordinary,
    ..LIMITS
};
const SECURE: DiskLimits = DiskLimits {
    discard: Discards::Secure,
    ..LIMITS
};
const READ_ONLY: DiskLimits = DiskLimits {
    read_only: true,
    ..SECURE
};
const DISCARD_BLOCKS_OF_4K: DiskLimits = DiskLimits {
    logical_block_size: 4096,
    ..ORDINARY
};

fn parse_discard(
    abi: Abi,
    flags: u8,
    start: u64,
    sectors: u64,
    limits: &DiskLimits,
) -> Result<Parsed, Reject> {
    let mut bytes = head(abi, [DISCARD, flags, 0xaa, 0xbb], start);
    bytes.extend(sectors.to_le_bytes());
    parse(&entry(bytes), abi, limits, &mut [])
}

#[test]
fn discards_are_read_in_both_layouts() {
    // Flags, start and sectors, the disk, whether it erases.
    let table = [
        (0, 0, 1000, ORDINARY, false),
        (0, 999, 1, ORDINARY, false),
        (0, 7, 9, SECURE, false),
        (1, 7, 9, SECURE, true),
        // Only one of the flags means anything.
        (0xfe, 7, 9, ORDINARY, false),
        (0xff, 7, 9, SECURE, true),
        (0, 8, 16, DISCARD_BLOCKS_OF_4K, false),
    ];
    for (flags, start, sectors, limits, secure) in table {
        for abi in [Abi::X86_32, Abi::X86_64] {
            let parsed = parse_discard(abi, flags, start, sectors, &limits);
            let Ok(Parsed::Request(Request::Discard(Some(discard)))) = parsed else {
                panic!("{parsed:?}");
            };
            assert_eq!(
                (discard.start(), discard.sectors(), discard.secure()),
                (Sector(start), sectors, secure)
            );
        }
    }
}

#[test]
fn discarding_nothing_is_valid() {
    for start in [0, 1000] {
        assert_eq!(
            parse_discard(Abi::X86_64, 0, start, 0, &ORDINARY),
            Ok(Parsed::Request(Request::Discard(None)))
        );
    }
}

/// R2, R23.
#[test]
fn invalid_discards_are_refused_with_a_reason() {
    use Reason::*;

    const LAST: u64 = u64::MAX;
    let table = [
        (0, 0, 8, LIMITS, UnknownOperation(5)),
        (1, 0, 8, LIMITS, UnknownOperation(5)),
        (1, 0, 8, ORDINARY, SecureDiscard),
        (0, 0, 8, READ_ONLY, ReadOnly),
        (1, 0, 8, READ_ONLY, ReadOnly),
        (0, 0, 1001, ORDINARY, out_of_range(0, 1001)),
        (0, 1000, 1, ORDINARY, out_of_range(1000, 1)),
        (0, 1001, 0, ORDINARY, out_of_range(1001, 0)),
        (0, 1, LAST, ORDINARY, out_of_range(1, LAST)),
        (0, LAST, LAST, ORDINARY, out_of_range(LAST, LAST)),
        (0, 0, 1 << 32, ORDINARY, out_of_range(0, 1 << 32)),
        (0, 4, 8, DISCARD_BLOCKS_OF_4K, misaligned(4, 8)),
        (0, 8, 4, DISCARD_BLOCKS_OF_4K, misaligned(8, 4)),
    ];
    for (flags, start, sectors, limits, reason) in table {
        for abi in [Abi::X86_32, Abi::X86_64] {
            assert_eq!(
                parse_discard(abi, flags, start, sectors, &limits),
                Err(refused(reason))
            );
        }
    }
}

/// What is forgotten are the blocks that are whole; what is to be erased for good has to be whole.
#[test]
fn parts_of_blocks_are_not_forgotten() {
    let limits = DiskLimits {
        partial_blocks: true,
        discard: Discards::Secure,
        ..DISCARD_BLOCKS_OF_4K
    };
    let discarded = |start, sectors| match parse_discard(Abi::X86_64, 0, start, sectors, &limits) {
        Ok(Parsed::Request(Request::Discard(discard))) => {
            discard.map(|discard| (discard.start().0, discard.sectors()))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(discarded(1, 20), Some((8, 8)));
    assert_eq!(discarded(8, 9), Some((8, 8)));
    assert_eq!(discarded(1, 14), None);
    assert_eq!(discarded(3, 2), None);
    assert_eq!(
        parse_discard(Abi::X86_64, 1, 1, 20, &limits),
        Err(refused(misaligned(1, 20)))
    );
}
