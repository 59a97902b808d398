// SPDX-License-Identifier: GPL-2.0

//! Slots that change while the backend reads them (R1, XSA-155).
//!
//! A second thread flips one field between a right and a wrong value at full speed. Whatever the backend sees, it must
//! see it once: every request is answered with one of the two verdicts, and the disk still serves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::request::Request;
use crate::wire::{op, Layout, MAX_SEGMENTS, RING_SIZE};

const REQUESTS: usize = 640;

/// A byte to flip: where, and between which values.
type Flip = fn(Layout) -> (usize, u8, u8);

const FLIPS: &[(&str, Flip)] = &[
    ("operation", |_| (0, op::READ, 77)),
    ("operation-read-write", |_| (0, op::READ, op::WRITE)),
    ("operation-flush", |_| (0, op::READ, op::FLUSH)),
    ("operation-indirect", |_| (0, op::READ, op::INDIRECT)),
    ("segment-count", |_| (1, 11, 255)),
    ("segment-count-0", |_| (1, 11, 0)),
    ("first-sector", |layout| (layout.tail + 4, 0, 8)),
    ("last-sector", |layout| (layout.tail + 5, 7, 200)),
    ("grant", |layout| (layout.tail + 3, 0, 0xff)),
    ("sector-number", |layout| (layout.sector + 7, 0, 0xff)),
];

pub fn scenarios() -> Vec<Scenario> {
    FLIPS
        .iter()
        .map(|(name, flip)| {
            Scenario::both(format!("double-fetch/{name}"), move |bed| {
                flipping(bed, *flip)
            })
        })
        .collect()
}

fn flipping(bed: &Bed, flip: Flip) -> Result<()> {
    let mut frontend = bed.attach()?;
    let (offset, right, wrong) = flip(frontend.ring.layout());
    let slots: Vec<_> = (0..RING_SIZE)
        .map(|number| frontend.ring.slot(number))
        .collect();
    let stop = AtomicBool::new(false);
    let requests: Vec<Request> = (0..REQUESTS)
        .map(|_| frontend.request(op::READ, 0, MAX_SEGMENTS))
        .collect();

    let answers = thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for slot in &slots {
                    slot.poke(offset, wrong);
                    slot.poke(offset, right);
                }
            }
        });
        let answers = frontend.call_all(&requests);
        stop.store(true, Ordering::Relaxed);
        answers
    })?;

    // The flipped bytes lie where a response has its id or nothing, never its status.
    for answer in &answers {
        ensure!(
            (-2..=0).contains(&answer.status),
            "a request was answered with {}",
            answer.status
        );
    }
    ensure!(answers.len() == REQUESTS, "{} answers came", answers.len());
    frontend.expect_serving()?;
    frontend.detach()
}
