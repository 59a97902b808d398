// SPDX-License-Identifier: GPL-2.0

//! Grants that may stay mapped between requests: used in every way, and let go at the end.

mod lifetime;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::features::Features;
use crate::frontend::Frontend;
use crate::gntalloc::{Access, PAGE_SIZE};
use crate::load::{Direction, Load};
use crate::request::{Request, Segment};
use crate::wire::{op, MAX_SEGMENTS};

const PERSISTENT: Features = Features {
    persistent: true,
    ..Features::NONE
};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::both("persistent/data-is-right", |bed| data(bed, PERSISTENT)),
        Scenario::both("persistent/data-is-right-with-everything-on", |bed| {
            let everything = Features {
                queues: 2,
                order: 1,
                indirect: true,
                ..PERSISTENT
            };
            data(bed, everything)
        }),
        Scenario::once("persistent/let-go-when-closed", lifetime::let_go),
        Scenario::once(
            "persistent/not-for-those-who-do-not-ask",
            lifetime::not_asked,
        ),
        Scenario::both("persistent/one-gref-again-and-again", again_and_again),
        Scenario::both("persistent/one-gref-in-all-segments", all_segments),
        Scenario::both("persistent/one-gref-in-two-queues", two_queues),
        Scenario::both("persistent/one-gref-read-and-written-at-once", both_ways),
        Scenario::both("persistent/more-grefs-than-are-kept", lifetime::over_budget),
        Scenario::both(
            "persistent/page-taken-back-while-mapped",
            lifetime::taken_back,
        ),
        Scenario::once("persistent/read-only-grant", read_only_grant),
    ]
}

/// Closes, checks that no data page is mapped any more, and takes the disk away.
fn finish(frontend: Frontend) -> Result<()> {
    frontend.close()?;
    lifetime::expect_let_go(&frontend.pages)?;
    frontend.vbd.destroy()
}

/// Loads one after another, so that pages are seen again in the same and in other places.
fn data(bed: &Bed, features: Features) -> Result<()> {
    let mut frontend = bed.attach_with(features)?;
    let load = |seed| Load {
        seed,
        start: seed,
        requests: 48,
        depth: 12,
        segments: MAX_SEGMENTS,
        ragged: true,
    };
    for seed in [51, 52] {
        load(seed).run(&mut frontend, Direction::Write)?;
        load(seed).run(&mut frontend, Direction::Verify)?;
    }
    bed.move_data(frontend, &load(53))
}

/// One page for everything: each answer must have this request's data, not an earlier one's.
fn again_and_again(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(PERSISTENT)?;
    for round in 0..200_u8 {
        frontend.pages[0].fill(round);
        let write = frontend.request(op::WRITE, 8 * u64::from(round % 5), 1);
        frontend.expect("a write", &write, 0)?;
        frontend.pages[0].fill(!round);
        let read = frontend.request(op::READ, 8 * u64::from(round % 5), 1);
        frontend.expect("a read", &read, 0)?;
        ensure!(frontend.pages[0].holds_only(round), "other data came back");
    }
    finish(frontend)
}

fn all_segments(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(PERSISTENT)?;
    let page = Segment::page(frontend.pages[0].gref());
    for round in 0..20 {
        frontend.pages[0].fill(round);
        let write = Request::new(op::WRITE, 0, &[page; MAX_SEGMENTS]);
        frontend.expect("a write", &write, 0)?;
        let read = frontend.request(op::READ, 0, MAX_SEGMENTS);
        frontend.expect("a read", &read, 0)?;
        ensure!(
            frontend.pages.iter().all(|page| page.holds_only(round)),
            "a segment was lost"
        );
        let read = Request::new(op::READ, 0, &[page; MAX_SEGMENTS]);
        frontend.expect("a read into one page", &read, 0)?;
    }
    finish(frontend)
}

fn two_queues(bed: &Bed) -> Result<()> {
    let features = Features {
        queues: 2,
        ..PERSISTENT
    };
    let mut frontend = bed.attach_with(features)?;
    for round in 0..50_u8 {
        let (writer, reader) = (usize::from(round % 2), usize::from(!round % 2));
        frontend.pages[0].fill(round);
        let write = frontend.request(op::WRITE, 8, 1);
        frontend.queues[writer].expect("a write", &write, 0)?;
        frontend.pages[0].fill(!round);
        let read = frontend.request(op::READ, 8, 1);
        frontend.queues[reader].expect("a read", &read, 0)?;
        ensure!(frontend.pages[0].holds_only(round), "other data came back");
    }
    finish(frontend)
}

/// Rings full of reads and writes that share their pages: what is moved is anyone's guess, that it is answered is not.
fn both_ways(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(PERSISTENT)?;
    let requests: Vec<Request> = (0..320)
        .map(|number| {
            let operation = if number % 2 == 0 { op::READ } else { op::WRITE };
            frontend.request(operation, number % 7, 3)
        })
        .collect();
    let answers = frontend.call_all(&requests)?;
    ensure!(
        answers.iter().all(|answer| answer.status == 0),
        "a request failed"
    );
    frontend.expect_serving()?;
    finish(frontend)
}

/// Such a mapping is for both directions, so a page that may only be read can be refused, but nothing worse.
fn read_only_grant(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(PERSISTENT)?;
    let page = frontend.grant(Access::ReadOnly)?;
    page.write(0, &[0x99; PAGE_SIZE]);
    let segment = [Segment::page(page.gref())];
    for _ in 0..20 {
        let status = frontend.call(&Request::new(op::WRITE, 0, &segment))?;
        ensure!((-1..=0).contains(&status), "a write: answered {status}");
        frontend.expect("a read", &Request::new(op::READ, 0, &segment), -1)?;
    }
    ensure!(page.holds_only(0x99), "a page that may be read was written");
    frontend.expect_serving()?;
    finish(frontend)
}
