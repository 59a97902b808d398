// SPDX-License-Identifier: GPL-2.0

//! Nodes that are written again while the disk lives: by a toolstack that changes its mind, by one that is
//! careless, and by a frontend in such a hurry that the backend sees only the end of it.

use std::thread::sleep;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::backing::LoopDisk;
use crate::frontend::Frontend;
use crate::wait::{patience, wait_for, QUIET};
use crate::wire::{op, state};

pub fn scenarios() -> Vec<Scenario> {
    let states = ["0", "1", "3", "6", "7", "99", "-1", "four", ""].map(|written| {
        let shown = match written {
            "" => "empty",
            "-1" => "minus-1",
            other => other,
        };
        Scenario::once(
            format!("rewrites/own-state-{shown}-is-survived"),
            move |bed| own_state(bed, written),
        )
    });
    [
        Scenario::once("rewrites/new-ring-in-one-go", new_ring_in_one_go),
        Scenario::once(
            "rewrites/new-ring-of-another-device-in-one-go",
            new_ring_of_another_device,
        ),
        Scenario::once("rewrites/old-directory-made-anew", made_anew),
        Scenario::once("rewrites/mode-while-closed", mode_while_closed),
        Scenario::once("rewrites/device-while-connected", device_while_connected),
    ]
    .into_iter()
    .chain(states)
    .collect()
}

/// Closed, new nodes and Initialised in one transaction: only Initialised is ever seen.
fn new_ring_in_one_go(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    let taken_up = bed.differs(
        false,
        true,
        "xen-blkback serves the old ring for ever; ours looks at the nodes",
    );
    if !taken_up {
        return frontend.detach();
    }
    for _ in 0..10 {
        frontend.expect_serving()?;
        begin_anew(&mut frontend)?;
    }
    frontend.expect_serving()?;
    frontend.detach()
}

fn begin_anew(frontend: &mut Frontend) -> Result<()> {
    frontend.renew()?;
    let ring = frontend.ring.gref().to_string();
    let port = frontend.channel.port().to_string();
    frontend.vbd.set_together(&[
        ("state", "6"),
        ("ring-ref", &ring),
        ("event-channel", &port),
        ("state", "3"),
    ])
}

/// The same when the toolstack has named another device before.
fn new_ring_of_another_device(bed: &Bed) -> Result<()> {
    let other = LoopDisk::new(3)?;
    let mut frontend = bed.attach()?;
    let taken_up = bed.differs(false, true, "as for a new ring alone");
    if !taken_up {
        return frontend.detach();
    }
    frontend.vbd.plug(other.disk.device)?;
    sleep(QUIET);
    begin_anew(&mut frontend)?;
    frontend.expect_serving()?;
    // The ring may be served before the disk is described.
    let sectors = other.disk.sectors()?;
    let described = wait_for(patience(), || {
        Ok((frontend.sectors()? == sectors).then_some(()))
    })?;
    ensure!(
        described.is_some(),
        "the new ring is served by the old device"
    );
    frontend.detach()
}

/// A toolstack that does not remove the directories of a disk that is closed, but uses them for the next.
fn made_anew(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend.vbd.set_backend("online", "0")?;
    frontend.close()?;
    bed.expect_released(&frontend.vbd)?;
    frontend.vbd.set_state(state::INITIALISING)?;
    frontend.vbd.set_backend("online", "1")?;
    frontend.vbd.set_backend("state", "1")?;
    frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
    frontend.renew()?;
    frontend.connect()?;
    frontend.expect_serving()?;
    frontend.detach()
}

fn mode_while_closed(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend.close()?;
    frontend.vbd.set_backend("mode", "r")?;
    frontend.vbd.plug(bed.disk.device)?;
    sleep(QUIET);
    frontend.come_back()?;
    let answer = bed.differs(
        0,
        -1,
        "xen-blkback never looks at the mode again; ours does when the device is named again",
    );
    let write = frontend.request(op::WRITE, 0, 1);
    frontend.expect("a write", &write, answer)?;
    frontend.detach()
}

fn device_while_connected(bed: &Bed) -> Result<()> {
    let other = LoopDisk::new(3)?;
    let mut frontend = bed.attach()?;
    let first = frontend.sectors()?;
    frontend.vbd.plug(other.disk.device)?;
    sleep(QUIET);
    // In use, the old one stays.
    frontend.expect_serving()?;
    frontend.reconnect(bed.features)?;
    let expected = bed.differs(
        first,
        other.disk.sectors()?,
        "xen-blkback never changes the device; ours does when the frontend is done with the old one",
    );
    let now = frontend.sectors()?;
    ensure!(
        now == expected,
        "the disk has {now} sectors, not {expected}"
    );
    frontend.detach()
}

/// Somebody writes nonsense into the backend's own state while the disk is in use.
fn own_state(bed: &Bed, written: &str) -> Result<()> {
    let mut frontend = bed.attach()?;
    let survives = bed.differs(
        false,
        true,
        "the kernel's own helper, which xen-blkback relies on, trusts what it wrote last",
    );
    if !survives {
        return frontend.detach();
    }
    frontend.vbd.set_backend("state", written)?;
    sleep(QUIET);
    frontend.expect_serving()?;
    frontend.reconnect(bed.features)?;
    frontend.expect_serving()?;
    frontend.detach()
}
