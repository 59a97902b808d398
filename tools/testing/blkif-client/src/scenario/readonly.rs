// SPDX-License-Identifier: GPL-2.0

//! A disk with mode `r`: nothing a frontend sends changes the device (R23).

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::frontend::Frontend;
use crate::gntalloc::PAGE_SIZE;
use crate::request::{Discard, Entry, Request};
use crate::vbd::Spec;
use crate::wire::{op, status};

const INFO_READONLY: u64 = 4;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::both("readonly/reads-succeed", |bed| {
            let mut frontend = attach(bed)?;
            let read = frontend.request(op::READ, 0, 2);
            frontend.expect("a read", &read, status::OKAY)?;
            frontend.detach()
        }),
        Scenario::both("readonly/write-is-refused", |bed| refused(bed, op::WRITE)),
        Scenario::both("readonly/flush-with-data-is-refused", |bed| {
            refused(bed, op::FLUSH)
        }),
        Scenario::both("readonly/barrier-with-data-is-refused", |bed| {
            refused(bed, op::BARRIER)
        }),
        Scenario::both("readonly/discard-is-refused", discard),
        Scenario::both("readonly/empty-flush", empty_flush),
        Scenario::once("readonly/info-says-so", |bed| {
            let frontend = attach(bed)?;
            let info = frontend.vbd.backend_number("info")?;
            ensure!(info & INFO_READONLY != 0, "info is {info}");
            frontend.detach()
        }),
    ]
}

fn attach(bed: &Bed) -> Result<Frontend> {
    bed.attach_spec(&Spec {
        mode: "r",
        ..bed.spec()
    })
}

/// The first page of the disk, through the frontend.
fn first_page(frontend: &mut Frontend) -> Result<[u8; PAGE_SIZE]> {
    let read = frontend.request(op::READ, 0, 1);
    frontend.expect("a read", &read, 0)?;
    let mut bytes = [0; PAGE_SIZE];
    frontend.pages[0].read(0, &mut bytes);
    Ok(bytes)
}

fn refused(bed: &Bed, operation: u8) -> Result<()> {
    let mut frontend = attach(bed)?;
    let before = first_page(&mut frontend)?;
    for page in &frontend.pages {
        page.fill(!before[0]);
    }
    for _ in 0..40 {
        let request = frontend.request(operation, 0, 1);
        frontend.expect("the request", &request, status::ERROR)?;
    }
    ensure!(before == first_page(&mut frontend)?, "the disk was changed");
    frontend.detach()
}

fn discard(bed: &Bed) -> Result<()> {
    let mut frontend = attach(bed)?;
    let before = first_page(&mut frontend)?;
    let supported = frontend.vbd.backend_number("feature-discard")? == 1;
    let wanted = if supported {
        status::ERROR
    } else {
        status::EOPNOTSUPP
    };
    let request = Discard {
        id: 5,
        flag: 0,
        sector: 0,
        count: 8,
    };
    let answer = {
        let entry = request.encode(frontend.ring.layout());
        frontend.call_raw(&entry)?
    };
    ensure!(
        answer.status == wanted && answer.id == 5,
        "answered {}, not {wanted}",
        answer.status
    );
    ensure!(before == first_page(&mut frontend)?, "the disk was changed");
    frontend.detach()
}

fn empty_flush(bed: &Bed) -> Result<()> {
    let mut frontend = attach(bed)?;
    let wanted = bed.differs(
        status::ERROR,
        status::OKAY,
        "xen-blkback sees a flush as a write; one without data changes nothing, so ours allows it",
    );
    frontend.expect("an empty flush", &Request::flush(), wanted)?;
    frontend.detach()
}
