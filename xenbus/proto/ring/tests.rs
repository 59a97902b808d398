// SPDX-License-Identifier: GPL-2.0

//! What the backend's end of a ring does with an honest and a dishonest frontend.

use super::mock::Shared;
use super::*;

const PAGE: RingSize = RingSize::ONE_PAGE;
/// Where counters wrap within a ring's worth of requests.
const NEAR_WRAP: u32 = u32::MAX - 7;

fn ring(start: u32) -> (Shared, BackRing<Shared>) {
    let shared = Shared::new(Abi::X86_64, PAGE, start);
    let ring = BackRing::attach(shared.clone(), Abi::X86_64, PAGE).unwrap();
    (shared, ring)
}

fn take_all(ring: &mut BackRing<Shared>, quantum: u32) -> Vec<Slot> {
    ring.begin_drain(quantum).unwrap();
    let mut raw = RawSlot::ZERO;
    core::iter::from_fn(|| ring.take(&mut raw)).collect()
}

#[test]
fn ring_sizes_are_those_of_every_peer() {
    for (order, slots) in [(0, 32), (1, 64), (2, 128), (3, 256), (4, 512)] {
        let size = RingSize::of_page_order(order).unwrap();
        assert_eq!((size.slots(), size.pages()), (slots, 1 << order));
        for abi in [Abi::X86_32, Abi::X86_64] {
            let room = ((4096usize << order) - 64) / abi.entry_size();
            assert_eq!(1 << room.ilog2(), slots);
        }
    }
    assert_eq!(RingSize::of_page_order(5), None);
    assert_eq!(RingSize::of_page_order(u32::MAX), None);
}

#[test]
fn requests_come_in_order_and_answers_echo_them_in_both_layouts() {
    for abi in [Abi::X86_32, Abi::X86_64] {
        let shared = Shared::new(abi, PAGE, NEAR_WRAP);
        let mut ring = BackRing::attach(shared.clone(), abi, PAGE).unwrap();
        for id in 0..32 {
            shared.send(id as u8, id << 40);
        }
        let slots = take_all(&mut ring, 99);
        assert_eq!(slots.len(), 32);
        // Answered in another order, as disks do.
        for slot in slots.into_iter().rev() {
            ring.put(slot, Status::Error);
        }
        assert_eq!(shared.receive(), None, "seen before push");
        let _ = ring.push();
        for id in (0..32).rev() {
            let operation = Shared::answered(id as u8);
            assert_eq!(shared.receive(), Some((id << 40, operation, -1)));
        }
        assert_eq!(ring.in_flight(), 0);
    }
}

#[test]
fn a_drain_reads_the_producer_once_and_ends_at_its_quantum() {
    let (shared, mut ring) = ring(NEAR_WRAP);
    for _ in 0..20 {
        shared.send(0, 0);
    }
    shared.page().producer_loads.set(0);
    assert_eq!(ring.begin_drain(16), Ok(16));
    shared.send(0, 0);
    let mut raw = RawSlot::ZERO;
    let taken = core::iter::from_fn(|| ring.take(&mut raw)).count();
    assert_eq!(taken, 16);
    assert_eq!(shared.page().producer_loads.get(), 1);
    assert_eq!(take_all(&mut ring, 16).len(), 5);
}

/// R1: memory that reads differently every time is read once.
#[test]
fn every_entry_is_fetched_once() {
    let (shared, mut ring) = ring(0);
    for id in 0..8 {
        shared.send(1, id);
    }
    shared.page_mut().restless = true;
    shared.page().producer_loads.set(0);
    ring.begin_drain(32).unwrap();
    let mut raw = RawSlot::ZERO;
    let mut count = 0;
    while let Some(slot) = ring.take(&mut raw) {
        assert_eq!(
            (slot.id(), slot.operation()),
            (raw.id(Abi::X86_64), raw.answered_operation())
        );
        count += 1;
    }
    // That no byte is read twice is checked by the test double.
    assert_eq!(count, 8);
}

/// No more of a request is read than there can be of it: the rest of the entry stays as it was.
#[test]
fn requests_are_read_as_far_as_they_go() {
    for (abi, segments) in [(Abi::X86_32, 20), (Abi::X86_64, 24)] {
        let end = segments + 11 * 8;
        let table = [
            (0, 0, segments),
            (1, 1, segments + 8),
            (2, 11, end),
            (3, 12, end),
            (0, 255, end),
            (4, 1, end),
            (5, 1, end),
            (6, 1, end),
            (77, 1, end),
        ];
        for (operation, count, size) in table {
            let shared = Shared::new(abi, PAGE, 0);
            shared.send(operation, 7);
            shared.page_mut().entries[0].bytes_mut()[1] = count;
            let mut ring = BackRing::attach(shared.clone(), abi, PAGE).unwrap();
            ring.begin_drain(1).unwrap();
            let mut raw = RawSlot::new([0x55; 112]);
            let _slot = ring.take(&mut raw).unwrap();
            assert_eq!(
                raw.bytes()[..size],
                shared.page().entries[0].bytes()[..size]
            );
            assert!(raw.bytes()[size..].iter().all(|&byte| byte == 0x55));
        }
    }
}

/// R3, R4.
#[test]
fn an_impossible_producer_halts_the_ring_for_good() {
    let in_flight = 4;
    // Relative to the responses: beyond the ring, far beyond, before what was taken, before the
    // responses.
    for claim in [33, 1 << 31, u32::MAX, in_flight - 1, 0] {
        let (shared, mut ring) = ring(NEAR_WRAP);
        for _ in 0..in_flight {
            shared.send(0, 0);
        }
        let slots = take_all(&mut ring, 32);
        let honest = shared.page().req_prod;
        shared.page_mut().req_prod = NEAR_WRAP.wrapping_add(claim);
        let mut raw = RawSlot::ZERO;
        let bad = ring.begin_drain(32).unwrap_err();
        assert_eq!(bad.req_prod, NEAR_WRAP.wrapping_add(claim));

        shared.page_mut().req_prod = honest.wrapping_add(1);
        assert_eq!(ring.begin_drain(32), Err(bad), "claim {claim} forgotten");
        assert_eq!(ring.final_check(), Err(bad));
        assert!(ring.take(&mut raw).is_none());
        // What was taken can still be answered.
        for slot in slots {
            ring.put(slot, Status::Okay);
        }
        assert_eq!(ring.push(), Notify::Yes);
        assert_eq!(ring.in_flight(), 0);
    }
}

#[test]
fn a_lie_found_late_ends_the_drain() {
    let (shared, mut ring) = ring(0);
    shared.send(0, 0);
    shared.send(0, 0);
    let mut raw = RawSlot::ZERO;
    ring.begin_drain(32).unwrap();
    shared.page_mut().req_prod = 1000;
    assert!(ring.final_check().is_err());
    assert!(ring.take(&mut raw).is_none());
}

#[test]
fn a_ring_in_use_is_taken_up_where_it_was_left() {
    for (ahead, ok) in [
        (0, true),
        (3, true),
        (32, true),
        (33, false),
        (u32::MAX, false),
    ] {
        let shared = Shared::new(Abi::X86_64, PAGE, NEAR_WRAP);
        shared.page_mut().req_prod = NEAR_WRAP.wrapping_add(ahead);
        match BackRing::attach(shared.clone(), Abi::X86_64, PAGE) {
            Ok(mut ring) => {
                assert!(ok, "{ahead} accepted");
                assert_eq!(ring.begin_drain(100), Ok(ahead));
            }
            Err(bad) => {
                assert!(!ok, "{ahead} refused");
                assert_eq!(bad.rsp_prod, NEAR_WRAP);
            }
        }
    }
}

#[test]
fn a_full_ring_has_no_room_until_answers_are_made() {
    let (shared, mut ring) = ring(5);
    for _ in 0..32 {
        shared.send(0, 0);
    }
    let mut slots = take_all(&mut ring, 32);
    assert_eq!(ring.begin_drain(32), Ok(0));
    ring.put(slots.pop().unwrap(), Status::Okay);
    shared.send(0, 7);
    assert_eq!(ring.begin_drain(32), Ok(1));
    assert_eq!(ring.in_flight(), 31);
}

/// The frontend is told when the response it waits for is among those pushed, and once for the
/// batch.
#[test]
fn the_frontend_is_notified_of_the_response_it_waits_for() {
    for start in [0, NEAR_WRAP, u32::MAX] {
        // `rsp_event` relative to the responses before a batch of three.
        for (event, notify) in [
            (u32::MAX, Notify::No),
            (0, Notify::No),
            (1, Notify::Yes),
            (3, Notify::Yes),
            (4, Notify::No),
            (1 << 31, Notify::No),
        ] {
            let (shared, mut ring) = ring(start);
            for _ in 0..3 {
                shared.send(0, 0);
            }
            for slot in take_all(&mut ring, 3) {
                ring.put(slot, Status::Okay);
            }
            shared.page_mut().rsp_event = start.wrapping_add(event);
            assert_eq!(ring.push(), notify, "start {start} event {event}");
            assert_eq!(ring.push(), Notify::No, "nothing new");
        }
    }
}

#[test]
fn before_sleep_the_next_request_is_asked_for() {
    let (shared, mut ring) = ring(NEAR_WRAP);
    assert_eq!(ring.final_check(), Ok(false));
    assert_eq!(shared.page().req_event, NEAR_WRAP.wrapping_add(1));
    shared.send(0, 0);
    shared.page_mut().req_event = 0;
    assert_eq!(ring.final_check(), Ok(true));
    assert_eq!(
        shared.page().req_event,
        0,
        "no event wanted while there is work"
    );
}

/// A request that comes after the look and before the wish for an event would otherwise be lost.
#[test]
fn a_request_that_comes_at_the_last_moment_is_found() {
    let (shared, mut ring) = ring(NEAR_WRAP);
    shared.page().race.set(1);
    assert_eq!(ring.final_check(), Ok(true));
    assert_eq!(ring.begin_drain(32), Ok(1));
}

#[test]
fn a_slot_of_another_ring_answers_nothing() {
    let (shared, mut ring) = ring(0);
    let stray = Slot {
        id: 1,
        operation: 0,
    };
    ring.put(stray, Status::Okay);
    assert_eq!(ring.push(), Notify::No);
    assert_eq!(shared.receive(), None);
}
