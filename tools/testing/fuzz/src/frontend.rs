// SPDX-License-Identifier: GPL-2.0

//! A frontend whose every move is read from a string of bytes, against the ring and the parser.
//!
//! The host tests play it too, with random strings, so that it is tried where there is no fuzzer.

use xenbus_proto::abi::Abi;
use xenbus_proto::blkif::Status;
use xenbus_proto::packing::pieces;
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
use xenbus_proto::ring::{
    BackRing,
    RingSize,
    Slot, //
};
use xenbus_proto::slot::RawSlot;

use crate::mock::Shared;

/// The moves still to come; zeroes when there are no more.
struct Moves<'a>(&'a [u8]);

impl Moves<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (now, later) = self.0.split_at(N.min(self.0.len()));
        bytes[..now.len()].copy_from_slice(now);
        self.0 = later;
        bytes
    }

    fn byte(&mut self) -> u8 {
        u8::from_le_bytes(self.bytes())
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn disk(&mut self) -> DiskLimits {
        let shape = self.byte();
        DiskLimits {
            read_only: shape & 1 != 0,
            logical_block_size: 512 << ((shape >> 1) & 7),
            partial_blocks: shape & 0x20 != 0,
            indirect_segments: if shape & 0x10 != 0 { u16::MAX } else { 0 },
            discard: match shape >> 6 {
                0 => Discards::Refused,
                1 => Discards::Ordinary,
                _ => Discards::Secure,
            },
            sectors: u64::from_le_bytes(self.bytes()),
        }
    }
}

/// Plays a whole game; panics when the backend breaks a rule.
pub fn play(input: &[u8]) {
    let mut moves = Moves(input);
    let shape = moves.byte();
    let abi = if shape & 1 == 0 {
        Abi::X86_64
    } else {
        Abi::X86_32
    };
    let Some(size) = RingSize::of_page_order(u32::from((shape >> 1) & 7)) else {
        return;
    };
    let shared = Shared::new(abi, size, moves.word());
    shared.page_mut().req_prod = moves.word();
    let limits = moves.disk();
    let Ok(mut ring) = BackRing::attach(shared.clone(), abi, size) else {
        return;
    };
    let mut taken = Vec::new();

    while !moves.0.is_empty() {
        match moves.byte() % 8 {
            0 => shared.page_mut().req_prod = moves.word(),
            1 => {
                let mut page = shared.page_mut();
                page.req_prod = page.req_prod.wrapping_add(u32::from(moves.byte()));
            }
            2 => {
                let slot = moves.word() % size.slots();
                shared.page_mut().entries[slot as usize] = RawSlot::new(moves.bytes());
            }
            3 => shared.page_mut().rsp_event = moves.word(),
            4 => drain(&mut ring, &mut moves, &limits, &mut taken),
            5 => {
                let count = taken.len().min(usize::from(moves.byte()));
                for slot in taken.drain(..count) {
                    ring.put(slot, Status::Okay);
                }
            }
            6 => drop(ring.push()),
            _ => drop(ring.final_check()),
        }
        assert_eq!(ring.in_flight() as usize, taken.len());
        assert!(ring.in_flight() <= size.slots());
    }
}

/// Takes what there is; rejected requests are answered at once.
fn drain(
    ring: &mut BackRing<Shared>,
    moves: &mut Moves<'_>,
    limits: &DiskLimits,
    taken: &mut Vec<Slot>,
) {
    let promised = ring.begin_drain(u32::from(moves.byte())).unwrap_or(0);
    let mut raw = RawSlot::ZERO;
    let mut room = vec![Segment::UNUSED; 4096];
    let mut count = 0;
    while let Some(slot) = ring.take(&mut raw) {
        count += 1;
        match request(&raw, ring.abi(), limits, moves, &mut room) {
            Ok(request) => {
                check(&request, limits, &room);
                taken.push(slot);
            }
            Err(reject) => {
                assert_ne!(reject.status, Status::Okay);
                ring.put(slot, reject.status);
            }
        }
    }
    assert_eq!(count, promised);
}

/// Makes a request of an entry; the pages of an indirect one hold one segment over and over, and
/// end with another.
fn request(
    raw: &RawSlot,
    abi: Abi,
    limits: &DiskLimits,
    moves: &mut Moves<'_>,
    room: &mut [Segment],
) -> Result<Request, Reject> {
    let mut indirect = match parse(raw, abi, limits, room)? {
        Parsed::Request(request) => return Ok(request),
        Parsed::Indirect(indirect) => indirect,
    };
    let sizes: Vec<_> = indirect.pages().map(|(_, bytes)| bytes).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 8 * indirect.count());
    for size in sizes {
        let mut page = moves.bytes::<8>().repeat(size / 8);
        page[size - 8..].copy_from_slice(&moves.bytes::<8>());
        indirect.parse_page(&page, limits, room)?;
    }
    indirect.finish(limits)
}

/// A request that exists is a valid one.
fn check(request: &Request, limits: &DiskLimits, room: &[Segment]) {
    let (transfer, writes) = match request {
        Request::Read(transfer) => (Some(transfer), false),
        Request::Write(transfer) => (Some(transfer), true),
        Request::Flush(transfer) | Request::Barrier(transfer) => (transfer.as_ref(), true),
        Request::Discard(discard) => {
            if let Some(discard) = discard {
                check_range(discard.start().0, discard.sectors(), limits);
                assert!(discard.sectors() > 0);
                assert!(!discard.secure() || limits.discard == Discards::Secure);
            }
            assert!(!limits.read_only && limits.discard != Discards::Refused);
            return;
        }
    };
    let Some(transfer) = transfer else {
        return;
    };
    assert!(!(writes && limits.read_only));
    check_transfer(transfer, limits, room);
}

fn check_range(start: u64, sectors: u64, limits: &DiskLimits) {
    let end = start.checked_add(sectors);
    assert!(end.is_some_and(|end| end <= limits.sectors));
    let block = u64::from(limits.logical_block_size / 512);
    assert!(limits.partial_blocks || (start % block, sectors % block) == (0, 0));
}

/// What the disk is asked for is whole blocks that it has.
fn check_blocks((start, sectors): (u64, u32), limits: &DiskLimits) {
    let block = u64::from(limits.logical_block_size / 512);
    assert_eq!((start % block, u64::from(sectors) % block), (0, 0));
    assert!(start + u64::from(sectors) <= limits.sectors);
}

fn check_transfer(transfer: &Transfer, limits: &DiskLimits, room: &[Segment]) {
    check_range(transfer.start().0, transfer.sectors().into(), limits);
    assert!((1..=4096).contains(&transfer.count()));
    let segments = transfer.segments(room);
    assert_eq!(segments.len(), transfer.count());
    let mut length = 0;
    for segment in segments {
        assert!(segment.len() > 0 && segment.offset() + segment.len() <= 4096);
        length += segment.len();
    }
    assert_eq!(length, transfer.len());

    let before = transfer.bytes_before() as usize;
    let blocks = (transfer.blocks_start().0, transfer.blocks_len() / 512);
    check_blocks(blocks, limits);
    assert_eq!(512 * (transfer.start().0 - blocks.0) as usize, before);
    assert!(transfer.must_be_packed() || (before, transfer.blocks_len()) == (0, length));

    let mut position = before;
    for piece in pieces(segments, transfer.bytes_before()) {
        assert_eq!(
            4096 * piece.page + usize::from(piece.local_offset),
            position
        );
        position += usize::from(piece.len);
    }
    assert_eq!(position, before + length as usize);
    assert!(position <= transfer.blocks_len() as usize);
    assert_eq!(
        transfer.pages(),
        transfer.blocks_len().div_ceil(4096) as usize
    );
}
