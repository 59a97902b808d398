// SPDX-License-Identifier: GPL-2.0

//! The ring against a model of it: a list of what was sent and a list of what is owed, with
//! counters that wrap.

use std::collections::VecDeque;

use proptest::prelude::*;
use xenbus_proto::abi::Abi;
use xenbus_proto::blkif::Status;
use xenbus_proto::ring::{
    BackRing,
    Notify,
    RingSize, //
};
use xenbus_proto::slot::RawSlot;

use crate::mock::Shared;

#[derive(Clone, Debug)]
enum Step {
    /// The frontend sends as many requests as there is room for, up to this.
    Send(u8),
    /// The backend drains with this quantum.
    Drain(u32),
    /// The backend answers some of the requests, the one at this place first.
    Answer(u8, usize),
    /// The backend pushes.
    Push,
    /// The backend prepares to sleep.
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(Step::Send),
        (0u32..600).prop_map(Step::Drain),
        (any::<u8>(), any::<usize>()).prop_map(|(count, place)| Step::Answer(count, place)),
        Just(Step::Push),
        Just(Step::Sleep),
    ]
}

fn start() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), (u32::MAX - 600)..=u32::MAX, any::<u32>()]
}

proptest! {
    #![proptest_config(crate::cases(300))]

    /// R4, R5: every request is answered once, in the order of the answers, and none is lost when
    /// the counters wrap.
    #[test]
    fn ring_and_model_agree(
        start in start(),
        order in 0..=RingSize::MAX_ORDER,
        small in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let abi = if small { Abi::X86_32 } else { Abi::X86_64 };
        let size = RingSize::of_page_order(order).unwrap();
        let shared = Shared::new(abi, size, start);
        let mut ring = BackRing::attach(shared.clone(), abi, size).unwrap();
        let mut waiting = VecDeque::new();
        let mut taken = Vec::new();
        let mut answered = VecDeque::new();
        let mut next_id = 0u64;
        // Requests whose response the frontend has not read; it sends no more than there are slots.
        let mut outstanding = 0;

        for step in steps {
            match step {
                Step::Send(count) => {
                    for _ in 0..u32::from(count).min(size.slots() - outstanding) {
                        shared.send(next_id as u8, next_id);
                        waiting.push_back(next_id);
                        next_id += 1;
                        outstanding += 1;
                    }
                }
                Step::Drain(quantum) => {
                    let count = ring.begin_drain(quantum).unwrap();
                    prop_assert_eq!(count, quantum.min(waiting.len() as u32));
                    let mut raw = RawSlot::ZERO;
                    for _ in 0..count {
                        let slot = ring.take(&mut raw).unwrap();
                        prop_assert_eq!(Some(slot.id()), waiting.pop_front());
                        prop_assert_eq!(slot.operation(), Shared::answered(slot.id() as u8));
                        taken.push(slot);
                    }
                    prop_assert!(ring.take(&mut raw).is_none());
                }
                Step::Answer(count, place) => {
                    for _ in 0..taken.len().min(usize::from(count)) {
                        let slot = taken.swap_remove(place % taken.len());
                        answered.push_back((slot.id(), slot.operation(), -1));
                        ring.put(slot, Status::Error);
                    }
                }
                Step::Push => {
                    let expected = if answered.is_empty() { Notify::No } else { Notify::Yes };
                    prop_assert_eq!(ring.push(), expected);
                    while let Some(response) = shared.receive() {
                        prop_assert_eq!(Some(response), answered.pop_front());
                        outstanding -= 1;
                    }
                    prop_assert!(answered.is_empty());
                    let mut page = shared.page_mut();
                    page.rsp_event = page.rsp_prod.wrapping_add(1);
                }
                Step::Sleep => prop_assert_eq!(ring.final_check(), Ok(!waiting.is_empty())),
            }
            prop_assert_eq!(ring.in_flight() as usize, taken.len());
        }
    }

    /// R3: whatever the frontend writes, no more than a ring's worth is ever in the backend's
    /// hands.
    #[test]
    fn a_lying_frontend_gets_no_more_than_a_ring(
        start in start(),
        claims in proptest::collection::vec((any::<u32>(), any::<bool>(), any::<u8>()), 1..100),
    ) {
        let size = RingSize::ONE_PAGE;
        let shared = Shared::new(Abi::X86_64, size, start);
        let mut ring = BackRing::attach(shared.clone(), Abi::X86_64, size).unwrap();
        let mut taken = Vec::new();
        let mut halted = false;
        for (claim, near, answers) in claims {
            let claim = if near { shared.page().rsp_prod.wrapping_add(claim % 40) } else { claim };
            shared.page_mut().req_prod = claim;
            match ring.begin_drain(u32::MAX) {
                Ok(_) => prop_assert!(!halted),
                Err(_) => halted = true,
            }
            let mut raw = RawSlot::ZERO;
            while let Some(slot) = ring.take(&mut raw) {
                prop_assert!(!halted);
                taken.push(slot);
            }
            prop_assert!(taken.len() <= 32);
            let answers = taken.len().min(usize::from(answers));
            for slot in taken.drain(..answers) {
                ring.put(slot, Status::Okay);
            }
            let _ = ring.push();
        }
    }
}
