// SPDX-License-Identifier: GPL-2.0

//! Requests of every kind that a backend offers, to be in flight when something happens.

use anyhow::Result;

use crate::frontend::Frontend;
use crate::request::{Discard, Segment};
use crate::wire::{offers, op};

/// Segments of the indirect requests, over the frontend's few data pages again and again.
const INDIRECT_SEGMENTS: u16 = 24;

/// Segments of the direct ones.
const DIRECT_SEGMENTS: usize = 4;

/// One request in so many is a discard, which some backends do one at a time.
const DISCARD_EVERY: u32 = 32;

/// Posts and shows `count` requests, in each queue in turn, as far as there is room. What is read is not looked at.
pub fn post(frontend: &mut Frontend, count: u32) -> Result<()> {
    let indirect = frontend.features.indirect
        && frontend.vbd.backend_number(offers::INDIRECT)? >= u64::from(INDIRECT_SEGMENTS);
    let discard = frontend.vbd.backend_number(offers::DISCARD)? == 1;
    let segments: Vec<Segment> = frontend
        .segments(frontend.pages.len())
        .into_iter()
        .cycle()
        .take(usize::from(INDIRECT_SEGMENTS))
        .collect();
    let list = frontend.list(&segments)?;
    for number in 0..count {
        let queue = (number % frontend.features.queues) as usize;
        if frontend.queues[queue].ring.free() == 0 {
            continue;
        }
        let operation = if number / 2 % 2 == 0 {
            op::READ
        } else {
            op::WRITE
        };
        let sector = 8 * u64::from(number % 256);
        if discard && number % DISCARD_EVERY == DISCARD_EVERY - 1 {
            let request = Discard {
                id: frontend.fresh_id(),
                sector,
                count: 8,
                flag: 0,
            };
            frontend.queues[queue].post(&request);
        } else if indirect && number % 3 == 0 {
            let request = frontend.indirect(operation, sector, INDIRECT_SEGMENTS, &list);
            frontend.queues[queue].post(&request);
        } else {
            let request = frontend.request(operation, sector, DIRECT_SEGMENTS);
            frontend.queues[queue].post(&request);
        }
    }
    frontend.keep(list);
    frontend.push_all();
    Ok(())
}
