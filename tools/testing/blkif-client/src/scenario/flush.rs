// SPDX-License-Identifier: GPL-2.0

//! Flushes and barriers, with and without data.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::features::Features;
use crate::frontend::Frontend;
use crate::gntalloc::PAGE_SIZE;
use crate::ktap::Skip;
use crate::nullblk::SlowDisk;
use crate::request::Request;
use crate::vbd::Spec;
use crate::wait::patience;
use crate::wire::{op, RING_SIZE};

/// How long each request takes where the order of two is looked at.
const DELAY: Duration = Duration::from_millis(300);

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::once("flush/advertised-as-the-device-is", advertised),
        Scenario::each("flush/empty-flush", |bed| empty(bed, op::FLUSH)),
        Scenario::each("flush/flush-with-data", |bed| with_data(bed, op::FLUSH)),
        Scenario::each("flush/empty-barrier", |bed| empty(bed, op::BARRIER)),
        Scenario::each("flush/barrier-with-data", |bed| with_data(bed, op::BARRIER)),
        Scenario::each("flush/among-writes-in-flight", among_writes),
        Scenario::once("flush/barrier-across-queues", across_queues),
        Scenario::once("flush/barriers-without-end-in-one-queue", without_end),
    ]
}

/// Attaches to a device that has something to flush.
fn attach(bed: &Bed) -> Result<Frontend> {
    if !bed.disk.has_write_cache()? {
        return Err(Skip("the device has no volatile write cache".to_owned()).into());
    }
    bed.attach()
}

fn advertised(bed: &Bed) -> Result<()> {
    let frontend = bed.attach()?;
    let cached = u64::from(bed.disk.has_write_cache()?);
    for node in ["feature-flush-cache", "feature-barrier"] {
        let advertised = frontend.vbd.backend_number(node)?;
        ensure!(
            advertised == cached,
            "{node} is {advertised}, but the device's write cache is {cached}"
        );
    }
    frontend.detach()
}

fn empty(bed: &Bed, operation: u8) -> Result<()> {
    let mut frontend = attach(bed)?;
    for _ in 0..3 {
        let request = Request::new(operation, 0, &[]).with_id(frontend.fresh_id());
        frontend.expect("an empty one", &request, 0)?;
    }
    // The sector number of an empty one means nothing.
    let request = Request::new(operation, u64::MAX, &[]);
    frontend.expect("an empty one at the last sector there can be", &request, 0)?;
    frontend.detach()
}

fn with_data(bed: &Bed, operation: u8) -> Result<()> {
    let mut frontend = attach(bed)?;
    frontend.pages[0].fill(0x11);
    frontend.pages[1].fill(0x22);
    let request = frontend.request(operation, 16, 2);
    frontend.expect("the request", &request, 0)?;
    frontend.pages[0].fill(0);
    frontend.pages[1].fill(0);
    let read = frontend.request(op::READ, 16, 2);
    frontend.expect("reading it back", &read, 0)?;
    for (page, fill) in frontend.pages.iter().zip([0x11, 0x22]) {
        let mut bytes = [0; PAGE_SIZE];
        page.read(0, &mut bytes);
        ensure!(
            bytes.iter().all(|byte| *byte == fill),
            "the data was not written"
        );
    }
    frontend.detach()
}

fn among_writes(bed: &Bed) -> Result<()> {
    let mut frontend = attach(bed)?;
    let requests: Vec<Request> = (0..4 * u64::from(RING_SIZE))
        .map(|number| match number % 8 {
            3 => frontend.request(op::FLUSH, 0, 0),
            6 => frontend.request(op::BARRIER, 8 * number, 1),
            _ => frontend.request(op::WRITE, 8 * number, 1),
        })
        .collect();
    let answers = frontend.call_all(&requests)?;
    ensure!(
        answers.iter().all(|answer| answer.status == 0),
        "a request failed"
    );
    frontend.detach()
}

fn attach_two_queues(bed: &Bed, slow: &SlowDisk) -> Result<Frontend> {
    let spec = Spec {
        device: Some(slow.disk.device),
        ..bed.spec()
    };
    let features = Features {
        queues: 2,
        ..Features::NONE
    };
    bed.attach_spec_with(&spec, features)
}

/// A barrier in one queue begins when a write in the other is done, and ends before a later one begins.
fn across_queues(bed: &Bed) -> Result<()> {
    let slow = SlowDisk::new(DELAY)?;
    let mut frontend = attach_two_queues(bed, &slow)?;
    let ordered = bed.differs(
        false,
        true,
        "a barrier of xen-blkback concerns the requests of its own queue only",
    );
    if !ordered {
        return frontend.detach();
    }
    let start = Instant::now();
    let before = frontend.request(op::WRITE, 0, 1);
    frontend.queues[0].post(&before);
    frontend.queues[0].push();
    // Rings have no order between them: what a barrier waits for is what the backend has taken up.
    std::thread::sleep(DELAY / 4);
    let barrier = Request::new(op::BARRIER, 0, &[]).with_id(frontend.fresh_id());
    frontend.queues[1].post(&barrier);
    frontend.queues[1].push();
    std::thread::sleep(DELAY / 4);
    let after = frontend.request(op::WRITE, 0, 1);
    frontend.queues[0].post(&after);
    frontend.queues[0].push();

    for (what, request) in [("write", &before), ("barrier", &barrier), ("write", &after)] {
        let answer = frontend.any_answer()?;
        ensure!(
            answer.id == request.id && answer.status == 0,
            "not the {what} was answered next, or with {}",
            answer.status
        );
        let least = if request.id == barrier.id { 2 } else { 1 };
        let elapsed = start.elapsed();
        ensure!(
            elapsed >= DELAY * least,
            "the {what} was done after {elapsed:?}, together with what it waits for"
        );
    }
    frontend.detach()
}

/// A queue full of barriers holds up another queue for no more than a few of them.
fn without_end(bed: &Bed) -> Result<()> {
    let slow = SlowDisk::new(Duration::from_millis(5))?;
    let mut frontend = attach_two_queues(bed, &slow)?;
    let barriers = |frontend: &mut Frontend, count| {
        for _ in 0..count {
            let barrier = frontend.request(op::BARRIER, 0, 1);
            frontend.queues[0].post(&barrier);
        }
        frontend.queues[0].push();
    };
    barriers(&mut frontend, RING_SIZE);
    for _ in 0..10 {
        let read = frontend.request(op::READ, 0, 1);
        frontend.queues[1].post(&read);
        frontend.queues[1].push();
        let mut meanwhile = 0;
        while frontend.queues[1].ring.take().is_none() {
            let done = frontend.queues[0].answers_within(1, patience())?;
            ensure!(
                done.iter().all(|answer| answer.status == 0),
                "a barrier failed"
            );
            barriers(&mut frontend, 1);
            meanwhile += 1;
            ensure!(
                meanwhile < RING_SIZE,
                "a read waits for {meanwhile} barriers of another queue"
            );
        }
    }
    frontend.queues[0].answers(RING_SIZE as usize)?;
    frontend.detach()
}
