// SPDX-License-Identifier: GPL-2.0

//! Reads and writes whose segments are listed in pages of their own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{ensure, Context, Result};

use super::{Bed, Scenario};
use crate::features::Features;
use crate::frontend::Frontend;
use crate::gntalloc::Access;
use crate::load::{Direction, Load};
use crate::request::{write_list, Indirect, Segment};
use crate::vbd::Spec;
use crate::wire::{offers, op, status, MAX_SEGMENTS, SEGMENTS_PER_LIST};

/// What the longest direct request has, one more, and the same around every size that a backend may handle apart.
const COUNTS: &[usize] = &[
    1, 2, 10, 11, 12, 31, 32, 33, 127, 128, 129, 255, 256, 511, 512, 513, 1024, 4096,
];

/// Xen counts in eight bits how often one grant is mapped, and stops when the highest is set.
const MOST_MAPPINGS: usize = 128;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::both("indirect/every-count-of-segments", every_count),
        Scenario::both("indirect/ragged-segments", ragged),
        Scenario::both("indirect/full-ring", full_ring),
        Scenario::both("indirect/mixed-with-direct-ones", mixed),
        Scenario::both("indirect/list-from-a-read-only-grant", read_only_list),
        Scenario::both("indirect/list-is-among-its-own-data", list_in_data),
        Scenario::both("indirect/one-gref-in-all-segments", one_gref),
        Scenario::both("indirect/list-changed-after-posting", list_changed),
        Scenario::both("indirect/read-only-disk", read_only_disk),
    ]
}

fn attach(bed: &Bed) -> Result<(Frontend, usize)> {
    let frontend = bed.attach_with(Features {
        indirect: true,
        ..Features::default()
    })?;
    let most = usize::try_from(frontend.offered(offers::INDIRECT, 1)?)?;
    Ok((frontend, most))
}

fn every_count(bed: &Bed) -> Result<()> {
    let (mut frontend, most) = attach(bed)?;
    let counts = COUNTS.iter().copied().filter(|count| *count < most);
    for segments in counts.chain([most]) {
        let load = Load {
            seed: 40 + segments as u64,
            start: 8 * segments as u64,
            requests: 2,
            depth: if segments > 256 { 1 } else { 2 },
            segments,
            ragged: false,
        };
        load.run(&mut frontend, Direction::Write)?;
        load.run(&mut frontend, Direction::Verify)
            .with_context(|| format!("{segments} segments"))?;
    }
    frontend.detach()
}

fn ragged(bed: &Bed) -> Result<()> {
    let (frontend, most) = attach(bed)?;
    let load = Load {
        seed: 41,
        start: 3,
        requests: 24,
        depth: 4,
        segments: most.min(200),
        ragged: true,
    };
    bed.move_data(frontend, &load)
}

fn full_ring(bed: &Bed) -> Result<()> {
    let (frontend, most) = attach(bed)?;
    let load = Load {
        seed: 42,
        start: 0,
        requests: 3 * frontend.ring.size(),
        depth: frontend.ring.size(),
        segments: most.min(24),
        ragged: true,
    };
    bed.move_data(frontend, &load)
}

/// The data pages that `list` names, one by one through direct requests.
fn mixed(bed: &Bed) -> Result<()> {
    let (mut frontend, _) = attach(bed)?;
    let list = frontend.list(&frontend.segments(MAX_SEGMENTS))?;
    for round in 0..64_u8 {
        for (page, fill) in frontend.pages.iter().zip(round..) {
            page.fill(fill);
        }
        let write = frontend.indirect(op::WRITE, 40, MAX_SEGMENTS as u16, &list);
        frontend.expect("the indirect write", &write, 0)?;
        for page in &frontend.pages {
            page.fill(0xff);
        }
        let read = frontend.request(op::READ, 40, MAX_SEGMENTS);
        frontend.expect("the direct read", &read, 0)?;
        for (page, fill) in frontend.pages.iter().zip(round..) {
            ensure!(page.holds_only(fill), "a page reads back otherwise");
        }
    }
    frontend.detach()
}

fn read_only_list(bed: &Bed) -> Result<()> {
    let (mut frontend, _) = attach(bed)?;
    let list = frontend.grant(Access::ReadOnly)?;
    write_list(&list, &frontend.segments(8));
    let read = frontend.indirect(op::READ, 0, 8, &list);
    frontend.expect("a read", &read, status::OKAY)?;
    frontend.detach()
}

/// A read that overwrites the list it is made of: done or refused, but nothing else.
fn list_in_data(bed: &Bed) -> Result<()> {
    let (mut frontend, _) = attach(bed)?;
    for page in &frontend.pages {
        page.fill(0xee);
    }
    let spoil = frontend.request(op::WRITE, 0, MAX_SEGMENTS);
    frontend.expect("writing what is no list", &spoil, 0)?;
    let mut segments = frontend.segments(MAX_SEGMENTS);
    let list = frontend.list(&segments)?;
    segments[0].gref = list.gref();
    for _ in 0..64 {
        write_list(&list, &segments);
        let read = frontend.indirect(op::READ, 0, MAX_SEGMENTS as u16, &list);
        let status = frontend.call(&read)?;
        ensure!((-1..=0).contains(&status), "answered {status}");
    }
    frontend.expect_serving()?;
    frontend.detach()
}

fn one_gref(bed: &Bed) -> Result<()> {
    let (mut frontend, most) = attach(bed)?;
    let most = most.min(MOST_MAPPINGS);
    let page = Segment::page(frontend.pages[0].gref());
    let list = frontend.list(&vec![page; most])?;
    let count = u16::try_from(most)?;
    frontend.pages[0].fill(0x3c);
    let write = frontend.indirect(op::WRITE, 0, count, &list);
    frontend.expect("a write", &write, 0)?;
    frontend.pages[0].fill(0);
    let last = frontend.request(op::READ, 8 * (most as u64 - 1), 1);
    frontend.expect("reading the last page", &last, 0)?;
    ensure!(frontend.pages[0].holds_only(0x3c), "the last page was lost");
    let read = frontend.indirect(op::READ, 0, count, &list);
    frontend.expect("a read into one page", &read, 0)?;
    frontend.detach()
}

/// A list that another thread changes while the backend reads it (R1): right and wrong in turn, at full speed.
fn list_changed(bed: &Bed) -> Result<()> {
    let (mut frontend, most) = attach(bed)?;
    let count = most.min(SEGMENTS_PER_LIST).min(64);
    let good: Vec<Segment> = frontend
        .segments(MAX_SEGMENTS)
        .into_iter()
        .cycle()
        .take(count)
        .collect();
    let list = frontend.list(&good)?;
    let requests: Vec<Indirect> = (0..400)
        .map(|_| frontend.indirect(op::READ, 0, count as u16, &list))
        .collect();
    let wrong = [
        Segment {
            last: 255,
            ..good[count - 1]
        },
        Segment {
            first: 9,
            ..good[count - 1]
        },
        Segment {
            gref: u32::MAX - 15,
            ..good[count - 1]
        },
    ];
    let stop = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let (stop, list, good) = (&stop, &list, &good);
        scope.spawn(move || {
            let mut changed = good.clone();
            while !stop.load(Ordering::Relaxed) {
                for wrong in wrong {
                    changed[count - 1] = wrong;
                    write_list(list, &changed[..]);
                    write_list(list, good);
                }
            }
        });
        let answers = frontend.call_all(&requests);
        stop.store(true, Ordering::Relaxed);
        answers
    })?;
    ensure!(
        answers
            .iter()
            .all(|answer| (-1..=0).contains(&answer.status)),
        "a request was answered with something else than 0 or -1"
    );
    frontend.expect_serving()?;
    frontend.detach()
}

fn read_only_disk(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_spec(&Spec {
        mode: "r",
        ..bed.spec()
    })?;
    frontend.offered(offers::INDIRECT, 1)?;
    let list = frontend.list(&frontend.segments(MAX_SEGMENTS))?;
    let read = frontend.indirect(op::READ, 0, MAX_SEGMENTS as u16, &list);
    frontend.expect("a read", &read, status::OKAY)?;
    let write = frontend.indirect(op::WRITE, 0, MAX_SEGMENTS as u16, &list);
    frontend.expect("a write", &write, status::ERROR)?;
    frontend.detach()
}
