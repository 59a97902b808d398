// SPDX-License-Identifier: GPL-2.0

//! Reads and writes of every legal shape.

use std::os::unix::fs::FileExt;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::backing::Aligned;
use crate::gntalloc::{Access, PAGE_SIZE};
use crate::load::{Direction, Load};
use crate::pattern::{self, SECTOR_SIZE};
use crate::request::{Request, Segment};
use crate::wire::{op, MAX_SEGMENTS, RING_SIZE};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::each("io/written-data-reads-back", written_data_reads_back),
        Scenario::each("io/frontend-and-device-agree", frontend_and_device_agree),
        Scenario::each("io/1-to-11-segments", every_segment_count),
        Scenario::each("io/every-sector-range-of-a-page", every_sector_range),
        Scenario::each("io/ragged-segments", ragged_segments),
        Scenario::each("io/full-ring-wraps-many-times", full_ring_wraps),
        Scenario::each("io/last-sector-of-the-disk", last_sector),
        Scenario::each("io/one-gref-in-all-segments", one_gref_in_all_segments),
        Scenario::each(
            "io/write-from-a-read-only-grant",
            write_from_read_only_grant,
        ),
        Scenario::each("io/all-ids-zero", all_ids_zero),
        Scenario::each("io/random-ids", random_ids),
        Scenario::once("io/published-size-is-the-devices", published_size),
    ]
}

fn written_data_reads_back(bed: &Bed) -> Result<()> {
    let load = Load {
        seed: 1,
        start: 0,
        requests: 48,
        depth: 8,
        segments: MAX_SEGMENTS,
        ragged: false,
    };
    bed.move_data(bed.attach()?, &load)
}

fn ragged_segments(bed: &Bed) -> Result<()> {
    let load = Load {
        seed: 2,
        start: 5,
        requests: 160,
        depth: 16,
        segments: MAX_SEGMENTS,
        ragged: true,
    };
    bed.move_data(bed.attach()?, &load)
}

fn full_ring_wraps(bed: &Bed) -> Result<()> {
    let load = Load {
        seed: 3,
        start: 8,
        requests: 16 * RING_SIZE,
        depth: RING_SIZE,
        segments: 1,
        ragged: false,
    };
    bed.move_data(bed.attach()?, &load)
}

fn frontend_and_device_agree(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_spec(&crate::vbd::Spec {
        mode: "w!",
        ..bed.spec()
    })?;
    let device = bed.disk.open_direct()?;
    let mut memory = Aligned([0; PAGE_SIZE]);

    let page = &frontend.pages[0];
    for part in 0..8 {
        page.write(part * SECTOR_SIZE, &pattern::sector(4, 64 + part as u64));
    }
    let write = frontend.request(op::WRITE, 64, 1);
    frontend.expect("the write", &write, 0)?;
    device.read_exact_at(&mut memory.0, 64 * SECTOR_SIZE as u64)?;
    for (number, bytes) in (64..).zip(memory.0.chunks_exact(SECTOR_SIZE)) {
        pattern::check(4, number, bytes)?;
    }

    for (number, bytes) in (64..).zip(memory.0.chunks_exact_mut(SECTOR_SIZE)) {
        bytes.copy_from_slice(&pattern::sector(5, number));
    }
    device.write_all_at(&memory.0, 64 * SECTOR_SIZE as u64)?;
    let read = frontend.request(op::READ, 64, 1);
    frontend.expect("the read", &read, 0)?;
    frontend.pages[0].read(0, &mut memory.0);
    for (number, bytes) in (64..).zip(memory.0.chunks_exact(SECTOR_SIZE)) {
        pattern::check(5, number, bytes)?;
    }
    frontend.detach()
}

fn every_segment_count(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    for segments in 1..=MAX_SEGMENTS {
        let load = Load {
            seed: 10 + segments as u64,
            start: 1000 * segments as u64,
            requests: 3,
            depth: 2,
            segments,
            ragged: false,
        };
        load.run(&mut frontend, Direction::Write)?;
        load.run(&mut frontend, Direction::Verify)?;
    }
    frontend.detach()
}

/// Reads a known page into every range `first..=last` of a page, and checks that nothing else of the page changed.
fn every_sector_range(bed: &Bed) -> Result<()> {
    const SEED: u64 = 6;
    const FILL: u8 = 0x5a;
    let mut frontend = bed.attach()?;
    for part in 0..8 {
        frontend.pages[0].write(
            part * SECTOR_SIZE,
            &pattern::sector(SEED, 200 + part as u64),
        );
    }
    let write = frontend.request(op::WRITE, 200, 1);
    frontend.expect("the write", &write, 0)?;

    for first in 0..8_u8 {
        for last in first..8 {
            frontend.pages[0].fill(FILL);
            let gref = frontend.pages[0].gref();
            let read = Request::new(op::READ, 200, &[Segment { gref, first, last }]);
            frontend.expect(&format!("the read into {first}..={last}"), &read, 0)?;
            let mut page = [0; PAGE_SIZE];
            frontend.pages[0].read(0, &mut page);
            for (part, bytes) in (0..8).zip(page.chunks_exact(SECTOR_SIZE)) {
                if (first..=last).contains(&part) {
                    pattern::check(SEED, 200 + u64::from(part - first), bytes)?;
                } else {
                    ensure!(
                        bytes.iter().all(|byte| *byte == FILL),
                        "a read into {first}..={last} changed sector {part} of the page"
                    );
                }
            }
        }
    }
    frontend.detach()
}

fn last_sector(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    let last = frontend.sectors()? - 1;
    let gref = frontend.pages[0].gref();
    let segment = [Segment {
        gref,
        first: 0,
        last: 0,
    }];
    frontend.expect("a write", &Request::new(op::WRITE, last, &segment), 0)?;
    frontend.expect("a read", &Request::new(op::READ, last, &segment), 0)?;
    frontend.detach()
}

fn one_gref_in_all_segments(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    let segment = Segment::page(frontend.pages[0].gref());
    frontend.pages[0].fill(0x77);
    let write = Request::new(op::WRITE, 0, &[segment; MAX_SEGMENTS]);
    frontend.expect("a write", &write, 0)?;
    let read = frontend.request(op::READ, 0, MAX_SEGMENTS);
    frontend.expect("a read into different pages", &read, 0)?;
    for page in &frontend.pages {
        let mut bytes = [0; PAGE_SIZE];
        page.read(0, &mut bytes);
        ensure!(
            bytes.iter().all(|byte| *byte == 0x77),
            "a segment of the write was lost"
        );
    }
    let read = Request::new(op::READ, 0, &[segment; MAX_SEGMENTS]);
    frontend.expect("a read into the same page", &read, 0)?;
    frontend.detach()
}

fn write_from_read_only_grant(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    let page = frontend.grant(Access::ReadOnly)?;
    let write = Request::new(op::WRITE, 0, &[Segment::page(page.gref())]);
    frontend.expect("a write", &write, 0)?;
    frontend.detach()
}

fn all_ids_zero(bed: &Bed) -> Result<()> {
    same_ids(bed, |_| 0)
}

fn random_ids(bed: &Bed) -> Result<()> {
    same_ids(bed, |number| crate::random::Random::new(number).number())
}

/// Sends three rings of reads with the ids that `id` gives, and wants each of them back once.
fn same_ids(bed: &Bed, id: impl Fn(u64) -> u64) -> Result<()> {
    let mut frontend = bed.attach()?;
    let requests: Vec<Request> = (0..96)
        .map(|number| frontend.request(op::READ, number, 1).with_id(id(number)))
        .collect();
    let answers = frontend.call_all(&requests)?;
    let mut sent: Vec<u64> = requests.iter().map(|request| request.id).collect();
    let mut received: Vec<u64> = answers.iter().map(|answer| answer.id).collect();
    sent.sort_unstable();
    received.sort_unstable();
    ensure!(
        sent == received,
        "the ids that came back are not those that were sent"
    );
    ensure!(
        answers.iter().all(|answer| answer.status == 0),
        "a read failed"
    );
    frontend.detach()
}

fn published_size(bed: &Bed) -> Result<()> {
    let frontend = bed.attach()?;
    let (published, real) = (frontend.sectors()?, bed.disk.sectors()?);
    ensure!(
        published == real,
        "the backend says {published} sectors, the device has {real}"
    );
    let (published, real) = (
        frontend.vbd.backend_number("sector-size")?,
        bed.disk.block_size()?,
    );
    ensure!(
        published == real,
        "the backend's sector-size is {published}, the device's blocks have {real}"
    );
    frontend.detach()
}
