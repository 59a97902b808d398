// SPDX-License-Identifier: GPL-2.0

//! Ring indices out of order, and rings that were in use before (R3, R4, R6).

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use super::{Bed, Scenario};
use crate::frontend::Frontend;
use crate::request::Entry;
use crate::wait::QUIET;
use crate::wire::{op, state, RING_SIZE};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::both("indices/req-prod-1000-ahead", |bed| bogus(bed, 1000)),
        Scenario::both("indices/req-prod-33-ahead", |bed| bogus(bed, RING_SIZE + 1)),
        Scenario::both("indices/req-prod-2^31-ahead", |bed| bogus(bed, 1 << 31)),
        Scenario::both("indices/req-prod-backwards", |bed| bogus(bed, u32::MAX)),
        Scenario::both("indices/rsp-prod-corrupted", rsp_prod_corrupted),
        Scenario::both(
            "indices/requests-waiting-before-connect",
            waiting_before_connect,
        ),
        Scenario::both("indices/ring-about-to-wrap", about_to_wrap),
        Scenario::both(
            "indices/ring-overfull-before-connect",
            overfull_before_connect,
        ),
        Scenario::both(
            "indices/responses-show-nothing-else",
            responses_show_nothing_else,
        ),
    ]
}

fn bogus(bed: &Bed, ahead: u32) -> Result<()> {
    bogus_on(bed, bed.attach()?, ahead)
}

/// Shows a request index `ahead` of the truth: the ring must stop, quietly, and the disk must still close.
pub fn bogus_on(bed: &Bed, mut frontend: Frontend, ahead: u32) -> Result<()> {
    frontend.expect_serving()?;
    frontend
        .ring
        .show_req_prod(frontend.ring.shown_req_prod().wrapping_add(ahead));
    frontend.channel.notify();
    let answers = frontend.answers_within(1, QUIET)?;
    ensure!(
        answers.is_empty(),
        "a request that was never posted was answered"
    );
    ensure!(
        !frontend.ring.arm(),
        "the backend moved its response index without a request"
    );

    // A stopped ring costs no time, however often it is rung.
    for _ in 0..10 {
        frontend.channel.notify();
    }
    // Other work of the machine comes and goes.
    let mut busy = 1.0_f64;
    for _ in 0..5 {
        busy = busy.min(busy_share(Duration::from_secs(1))?);
        if busy < 0.6 {
            break;
        }
    }
    ensure!(
        busy < 0.6,
        "the machine is {:.0} % busy with a stopped ring",
        busy * 100.0
    );
    frontend.detach()?;
    bed.expect_attachable()
}

/// The share of one processor that is not idle, measured over `time`.
fn busy_share(time: Duration) -> Result<f64> {
    let read = || -> Result<(f64, f64)> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().context("/proc/stat is empty")?;
        let fields: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|field| field.parse().ok())
            .collect();
        // Idle and waiting for I/O are the fourth and fifth.
        Ok((
            fields.iter().take(8).sum(),
            fields.iter().skip(3).take(2).sum(),
        ))
    };
    let (total, idle) = read()?;
    sleep(time);
    let (total_after, idle_after) = read()?;
    let total = total_after - total;
    ensure!(total > 0.0, "no time has passed in /proc/stat");
    Ok(1.0 - (idle_after - idle) / total)
}

fn rsp_prod_corrupted(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend.expect_serving()?;
    frontend.ring.corrupt_rsp_prod(0x1234_5678);
    let read = frontend.request(op::READ, 0, 1);
    frontend.post(&read);
    frontend.push();
    // The backend keeps its own index and shows it again with the next answer.
    sleep(QUIET);
    let answer = frontend.answers(1)?.remove(0);
    ensure!(
        answer.id == read.id && answer.status == 0,
        "the read was not answered"
    );
    frontend.expect_serving()?;
    frontend.detach()
}

/// Requests posted before the backend is connected, without an event afterwards.
fn waiting_before_connect(bed: &Bed) -> Result<()> {
    let mut frontend = bed.waiting()?;
    for number in 0..5 {
        let read = frontend.request(op::READ, number, 1);
        frontend.post(&read);
    }
    frontend.push();
    frontend.connect()?;
    let answers = frontend.answers(5)?;
    ensure!(
        answers.iter().all(|answer| answer.status == 0),
        "a read failed"
    );
    frontend.expect_serving()?;
    frontend.detach()
}

fn about_to_wrap(bed: &Bed) -> Result<()> {
    let mut frontend = bed.waiting()?;
    frontend.renew_at(u32::MAX - 40)?;
    frontend.connect()?;
    let requests: Vec<_> = (0..128)
        .map(|number| frontend.request(op::READ, number, 1))
        .collect();
    let answers = frontend.call_all(&requests)?;
    ensure!(
        answers.iter().all(|answer| answer.status == 0),
        "a read failed"
    );
    frontend.detach()
}

fn overfull_before_connect(bed: &Bed) -> Result<()> {
    let frontend = bed.waiting()?;
    frontend.ring.show_req_prod(1000);
    frontend.publish()?;
    frontend.vbd.set_state(state::INITIALISED)?;
    let reached = frontend
        .vbd
        .wait_backend(&[state::CLOSING, state::CLOSED])?;
    ensure!(reached == state::CLOSING, "the backend went to {reached}");
    drop(frontend);
    bed.expect_attachable()
}

/// A response has 13 bytes of meaning; nothing of the backend's memory may be in the rest of its entry (XSA-216).
fn responses_show_nothing_else(bed: &Bed) -> Result<()> {
    const MARK: u8 = 0xa5;
    let mut frontend = bed.attach()?;
    for round in 0..64_u64 {
        let operation = if round % 2 == 0 { op::READ } else { 99 };
        let mut entry = frontend
            .request(operation, round, 1)
            .encode(frontend.ring.layout());
        // Mark every byte the request does not use.
        let unused = frontend.ring.layout().tail + 8;
        entry[unused..].fill(MARK);
        entry[frontend.ring.layout().tail + 6..unused].fill(MARK);
        let answer = frontend.call_raw(&entry)?;
        for (at, byte) in answer.entry.iter().enumerate() {
            // The id, the operation and the status. Elsewhere the request's own bytes may be left.
            if at < 9 || at == 10 || at == 11 {
                continue;
            }
            ensure!(
                *byte == 0 || *byte == entry[at],
                "byte {at} of a response is {byte:#x}: {:02x?}",
                answer.entry
            );
        }
    }
    frontend.detach()
}
