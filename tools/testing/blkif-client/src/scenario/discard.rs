// SPDX-License-Identifier: GPL-2.0

//! Sectors that are no longer needed.

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::frontend::Frontend;
use crate::gntalloc::PAGE_SIZE;
use crate::peer::Peer;
use crate::request::Discard;
use crate::vbd::Spec;
use crate::wire::{offers, op, state, status, MAX_SEGMENTS};

/// What the disk holds before a discard.
const FILL: u8 = 0xd5;

/// Sectors that are filled, from 0 on.
const FILLED: u64 = 8 * MAX_SEGMENTS as u64;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::once("discard/offered-as-the-device-is", offered),
        Scenario::both("discard/whole-pages", |bed| forgets(bed, 8, 32)),
        Scenario::both("discard/one-sector", |bed| forgets(bed, 11, 1)),
        Scenario::both("discard/begins-and-ends-inside-a-page", |bed| {
            forgets(bed, 13, 22)
        }),
        Scenario::both("discard/no-sector", no_sector),
        Scenario::both("discard/whole-disk", whole_disk),
        Scenario::both("discard/among-reads-and-writes", among_others),
        Scenario::both("discard/flags-without-meaning", |bed| flag(bed, 0xfe, None)),
        Scenario::both("discard/secure", |bed| flag(bed, 1, Some(offers::SECURE))),
        Scenario::both("discard/switched-off-by-the-toolstack", switched_off),
    ]
}

/// Attaches to a disk that is filled where it matters; skips when it knows no discards.
fn attach(bed: &Bed) -> Result<Frontend> {
    let mut frontend = bed.attach_spec(&Spec {
        mode: "w!",
        ..bed.spec()
    })?;
    frontend.offered(offers::DISCARD, 1)?;
    for page in &frontend.pages {
        page.fill(FILL);
    }
    let write = frontend.request(op::WRITE, 0, MAX_SEGMENTS);
    frontend.expect("filling the disk", &write, status::OKAY)?;
    Ok(frontend)
}

fn discard(frontend: &mut Frontend, sector: u64, count: u64) -> Discard {
    Discard {
        id: frontend.fresh_id(),
        flag: 0,
        sector,
        count,
    }
}

/// The first byte of each filled sector, read through the frontend.
fn sectors(frontend: &mut Frontend) -> Result<Vec<u8>> {
    let read = frontend.request(op::READ, 0, MAX_SEGMENTS);
    frontend.expect("reading back", &read, status::OKAY)?;
    let mut bytes = vec![0; MAX_SEGMENTS * PAGE_SIZE];
    for (page, bytes) in frontend.pages.iter().zip(bytes.chunks_exact_mut(PAGE_SIZE)) {
        page.read(0, bytes);
    }
    Ok(bytes.iter().step_by(512).copied().collect())
}

/// Fails unless the disk has all it had outside `sector..sector + count`.
fn expect_others_kept(frontend: &mut Frontend, sector: u64, count: u64) -> Result<()> {
    for (number, byte) in (0..).zip(sectors(frontend)?) {
        let inside = (sector..sector + count).contains(&number);
        ensure!(
            inside || byte == FILL,
            "discarding {count} sectors from {sector} changed sector {number}"
        );
    }
    Ok(())
}

fn offered(bed: &Bed) -> Result<()> {
    let frontend = bed.attach()?;
    let device = bed.disk.discard()?;
    let discards = frontend.vbd.backend_number(offers::DISCARD)?;
    // Ours can be told to offer none.
    let may_be_off = bed.peer == Peer::Xbdback;
    ensure!(
        discards == u64::from(device.is_some()) || (discards == 0 && may_be_off),
        "feature-discard is {discards}, the device has {device:?}"
    );
    if let (1, Some(device)) = (discards, device) {
        let granularity = frontend.vbd.backend_number("discard-granularity")?;
        let alignment = frontend.vbd.backend_number("discard-alignment")?;
        ensure!(
            (granularity, alignment) == (device.granularity, device.alignment),
            "granularity and alignment are {granularity} and {alignment}, the device has {device:?}"
        );
    }
    frontend.detach()
}

/// Sectors that are whole units of the device read as zeros afterwards if it is a file; all others are kept.
fn forgets(bed: &Bed, sector: u64, count: u64) -> Result<()> {
    let mut frontend = attach(bed)?;
    let request = discard(&mut frontend, sector, count);
    frontend.expect("the discard", &request, status::OKAY)?;
    expect_others_kept(&mut frontend, sector, count)?;
    let whole = sector.next_multiple_of(8)..(sector + count) / 8 * 8;
    if bed.disk.is_loop() && !whole.is_empty() {
        let bytes = sectors(&mut frontend)?;
        let first = usize::try_from(whole.start)?;
        let end = usize::try_from(whole.end)?;
        ensure!(
            bytes[first..end].iter().all(|byte| *byte == 0),
            "whole pages were not forgotten"
        );
    }
    frontend.detach()
}

fn no_sector(bed: &Bed) -> Result<()> {
    let mut frontend = attach(bed)?;
    let end = frontend.sectors()?;
    for sector in [0, 8, end] {
        let request = discard(&mut frontend, sector, 0);
        frontend.expect("a discard of nothing", &request, status::OKAY)?;
    }
    expect_others_kept(&mut frontend, 0, 0)?;
    frontend.detach()
}

fn whole_disk(bed: &Bed) -> Result<()> {
    let mut frontend = attach(bed)?;
    let all = frontend.sectors()?;
    let request = discard(&mut frontend, 0, all);
    frontend.expect("the discard", &request, status::OKAY)?;
    frontend.expect_serving()?;
    frontend.detach()
}

/// A ring of everything at once; what is outside the discarded sectors is right afterwards.
fn among_others(bed: &Bed) -> Result<()> {
    let mut frontend = attach(bed)?;
    let mut ids = Vec::new();
    for number in 0..u64::from(frontend.ring.size()) {
        if number % 3 == 0 {
            let request = discard(&mut frontend, FILLED + 64 * number, 64);
            ids.push(request.id);
            frontend.post(&request);
        } else {
            let operation = if number % 3 == 1 { op::READ } else { op::WRITE };
            let request = frontend.request(operation, 0, MAX_SEGMENTS);
            ids.push(request.id);
            frontend.post(&request);
        }
    }
    frontend.push();
    let answers = frontend.answers(ids.len())?;
    ensure!(
        answers.iter().all(|answer| answer.status == 0),
        "a request failed"
    );
    let mut answered: Vec<u64> = answers.iter().map(|answer| answer.id).collect();
    answered.sort_unstable();
    ensure!(answered == ids, "the ids are not those that were sent");
    expect_others_kept(&mut frontend, 0, 0)?;
    frontend.detach()
}

/// A discard with flags: done as usual, unless they mean something that the backend does not offer.
fn flag(bed: &Bed, flag: u8, meaning: Option<&str>) -> Result<()> {
    let mut frontend = attach(bed)?;
    let can = match meaning {
        Some(node) => frontend.vbd.backend_number(node)? == 1,
        None => true,
    };
    let wanted = if can {
        status::OKAY
    } else {
        bed.differs(
            status::OKAY,
            status::EOPNOTSUPP,
            "xen-blkback only discards what was to be erased, and calls it done; ours says that it cannot",
        )
    };
    let request = Discard {
        flag,
        ..discard(&mut frontend, 8, 8)
    };
    frontend.expect("the discard", &request, wanted)?;
    expect_others_kept(&mut frontend, 8, 8)?;
    frontend.detach()
}

fn switched_off(bed: &Bed) -> Result<()> {
    let mut frontend = bed.frontend(&Spec {
        device: None,
        ..bed.spec()
    })?;
    frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
    frontend.vbd.set_backend("discard-enable", "0")?;
    frontend.vbd.plug(bed.disk.device)?;
    frontend.connect()?;
    let offered = frontend.vbd.backend_number(offers::DISCARD)?;
    ensure!(offered == 0, "discards are offered all the same");
    let wanted = if bed.disk.discard()?.is_some() {
        bed.differs(
            status::OKAY,
            status::EOPNOTSUPP,
            "xen-blkback does what it does not offer",
        )
    } else {
        return frontend.detach();
    };
    let request = discard(&mut frontend, 8, 8);
    frontend.expect("a discard", &request, wanted)?;
    frontend.detach()
}
