// SPDX-License-Identifier: GPL-2.0

//! How long pages stay mapped: as long as there is room, the ring lives and the frontend has agreed.

use anyhow::{ensure, Result};

use super::{finish, PERSISTENT};
use crate::gntalloc::{Access, GrantDevice, Pages};
use crate::grants;
use crate::pattern::{self, SECTOR_SIZE};
use crate::peer::Peer;
use crate::request::{Request, Segment};
use crate::scenario::Bed;
use crate::wait::{patience, wait_for};
use crate::wire::{op, MAX_SEGMENTS};

/// What xen-blkback keeps mapped for a queue when nothing else is said.
const USUAL_BUDGET: u64 = 1056;

/// Whether any of `pages` is mapped.
fn is_mapped(pages: &[Pages]) -> Result<bool> {
    let mapped = grants::mapped_references()?;
    Ok(pages.iter().any(|page| mapped.contains(&page.gref())))
}

/// Fails unless all of `pages` are soon let go.
pub fn expect_let_go(pages: &[Pages]) -> Result<()> {
    let gone = wait_for(patience(), || Ok((!is_mapped(pages)?).then_some(())))?;
    ensure!(gone.is_some(), "data pages are still mapped");
    Ok(())
}

/// Every page, read and written, is let go with the ring, by drivers one after another; then the pages serve again.
pub fn let_go(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(PERSISTENT)?;
    for persistent in [true, true, false, true] {
        for operation in [op::WRITE, op::READ] {
            let request = frontend.request(operation, 0, MAX_SEGMENTS);
            frontend.expect("a request", &request, 0)?;
        }
        // Ours may rather copy; but whom the reference understands has asked rightly.
        ensure!(
            bed.peer != Peer::XenBlkback
                || is_mapped(&frontend.pages)? == frontend.features.persistent,
            "the pages of a frontend are not mapped as it has asked"
        );
        frontend.close()?;
        expect_let_go(&frontend.pages)?;
        frontend.features.persistent = persistent;
        frontend.come_back()?;
        frontend.expect_serving()?;
    }
    finish(frontend)
}

/// A frontend that did not ask has its page back with the answer, and may reuse it for anything.
pub fn not_asked(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    for operation in [op::WRITE, op::READ] {
        let request = frontend.request(operation, 0, MAX_SEGMENTS);
        frontend.expect("a request", &request, 0)?;
        ensure!(!is_mapped(&frontend.pages)?, "pages are mapped after use");
    }
    frontend.detach()
}

/// More pages than the backend keeps mapped, twice around, so that each must make room for others.
pub fn over_budget(bed: &Bed) -> Result<()> {
    const SEED: u64 = 55;
    let budget = bed.peer.parameter("max_persistent_grants");
    let count = budget.unwrap_or(USUAL_BUDGET).min(USUAL_BUDGET) + 200;
    let mut frontend = bed.attach_with(PERSISTENT)?;
    GrantDevice::allow(u32::try_from(count)? + 1024)?;
    let pages = (0..count)
        .map(|_| frontend.grant(Access::ReadWrite))
        .collect::<Result<Vec<_>>>()?;
    let one = |operation, number: u64, page: &Pages| {
        Request::new(
            operation,
            number,
            &[Segment {
                gref: page.gref(),
                first: 0,
                last: 0,
            }],
        )
        .with_id(number)
    };
    for (number, page) in (0..).zip(&pages) {
        page.write(0, &pattern::sector(SEED, number));
    }
    let writes: Vec<_> = (0..)
        .zip(&pages)
        .map(|(number, page)| one(op::WRITE, number, page))
        .collect();
    let written = frontend.call_all(&writes)?;
    // Into other pages than they were written from.
    let moved = || (0..count).zip(pages.iter().cycle().skip(100));
    let reads: Vec<_> = moved()
        .map(|(number, page)| one(op::READ, number, page))
        .collect();
    let read = frontend.call_all(&reads)?;
    ensure!(
        written.iter().chain(&read).all(|answer| answer.status == 0),
        "a request failed"
    );
    for (number, page) in moved() {
        let mut bytes = [0; SECTOR_SIZE];
        page.read(0, &mut bytes);
        pattern::check(SEED, number, &bytes)?;
    }
    frontend.close()?;
    expect_let_go(&pages)?;
    frontend.vbd.destroy()
}

/// The frontend takes a page back that it had left to the backend, and goes on naming it.
pub fn taken_back(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(PERSISTENT)?;
    for round in 0..16 {
        let page = frontend.grant(Access::ReadWrite)?;
        let segment = Segment::page(page.gref());
        let write = Request::new(op::WRITE, 8, &[segment]).with_id(frontend.fresh_id());
        frontend.expect("a write from the page", &write, 0)?;
        // Every other time with requests under way.
        let reads = if round % 2 == 0 { 0 } else { 16 };
        for number in 0..reads {
            let read = Request::new(op::READ, number, &[segment]).with_id(frontend.fresh_id());
            frontend.post(&read);
        }
        frontend.push();
        drop(page);
        frontend.answers(usize::try_from(reads)?)?;
        let read = Request::new(op::READ, 8, &[segment]).with_id(frontend.fresh_id());
        let status = frontend.call(&read)?;
        ensure!((-1..=0).contains(&status), "answered {status}");
        frontend.expect_serving()?;
    }
    finish(frontend)
}
