// SPDX-License-Identifier: GPL-2.0

//! A frontend whose every move is read from a string of bytes, against the ring and the parser.
//!
//! The host tests play it too, with random strings, so that it is tried where there is no fuzzer.

use xenbus_proto::abi::Abi;
use xenbus_proto::blkif::Status;
use xenbus_proto::request::{
    parse,
    DiskLimits,
    Request,
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
            4 => drain(&mut ring, u32::from(moves.byte()), &limits, &mut taken),
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
fn drain(ring: &mut BackRing<Shared>, quantum: u32, limits: &DiskLimits, taken: &mut Vec<Slot>) {
    let promised = ring.begin_drain(quantum).unwrap_or(0);
    let mut raw = RawSlot::ZERO;
    let mut count = 0;
    while let Some(slot) = ring.take(&mut raw) {
        count += 1;
        match parse(&raw, ring.abi(), limits) {
            Ok(request) => {
                check(&request, limits);
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

/// A request that exists is a valid one.
fn check(request: &Request, limits: &DiskLimits) {
    let (transfer, writes) = match request {
        Request::Read(transfer) => (Some(transfer), false),
        Request::Write(transfer) => (Some(transfer), true),
        Request::Flush(transfer) | Request::Barrier(transfer) => (transfer.as_ref(), true),
    };
    let Some(transfer) = transfer else {
        return;
    };
    assert!(!(writes && limits.read_only));
    check_transfer(transfer, limits);
}

fn check_transfer(transfer: &Transfer, limits: &DiskLimits) {
    let end = transfer
        .start()
        .0
        .checked_add(u64::from(transfer.sectors()));
    assert!(end.is_some_and(|end| end <= limits.sectors));
    assert!((1..=11).contains(&transfer.segments().len()));
    let mut length = 0;
    for segment in transfer.segments() {
        assert!(segment.len() > 0 && segment.offset() + segment.len() <= 4096);
        length += segment.len();
    }
    assert_eq!(length, transfer.len());
    assert_eq!(length % limits.logical_block_size, 0);
}
