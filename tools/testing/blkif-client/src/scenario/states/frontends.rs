// SPDX-License-Identifier: GPL-2.0

//! What the frontends of other systems do with the states, each in its own order.

use std::thread::sleep;

use anyhow::Result;

use crate::features::Naming;
use crate::load::{Direction, Load};
use crate::request::Request;
use crate::scenario::{Bed, Scenario};
use crate::wait::QUIET;
use crate::wire::{op, state};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::each("states/ovmf", ovmf),
        Scenario::each("states/grub", grub),
        Scenario::once("states/netbsd-closes-directly", netbsd),
        Scenario::once("states/freebsd-two-ring-schemes", freebsd),
        Scenario::once("states/windows-reconnects-without-closing", windows),
        Scenario::once("states/kexec-collapses-the-states", kexec),
    ]
}

/// Never Initialised; barrier and flush with id 0; 5, 6, 1, and then waits for the backend to be ready or gone.
fn ovmf(bed: &Bed) -> Result<()> {
    let mut frontend = bed.waiting()?;
    for _ in 0..2 {
        frontend.publish()?;
        frontend.vbd.set_state(state::CONNECTED)?;
        frontend.vbd.wait_backend(&[state::CONNECTED])?;
        frontend.expect_serving()?;
        if bed.disk.has_write_cache()? {
            frontend.expect("the barrier", &Request::new(op::BARRIER, 0, &[]), 0)?;
            frontend.expect("the flush", &Request::flush(), 0)?;
        }
        frontend.vbd.set_state(state::CLOSING)?;
        frontend
            .vbd
            .wait_backend(&[state::CLOSING, state::CLOSED])?;
        frontend.vbd.set_state(state::CLOSED)?;
        frontend.vbd.wait_backend(&[state::CLOSED])?;
        frontend.vbd.set_state(state::INITIALISING)?;
        frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
        frontend.renew()?;
    }
    frontend.detach()
}

/// Stays at 3, one request at a time with id 0, then 6, takes its nodes away and leaves the disk at 1.
fn grub(bed: &Bed) -> Result<()> {
    let mut frontend = bed.waiting()?;
    for _ in 0..2 {
        frontend.publish()?;
        frontend.vbd.set_state(state::INITIALISED)?;
        frontend.vbd.wait_backend(&[state::CONNECTED])?;
        for sector in 0..20 {
            let read = frontend.request(op::READ, sector, 1).with_id(0);
            frontend.expect("a read", &read, 0)?;
        }
        frontend.vbd.set_state(state::CLOSED)?;
        frontend.vbd.wait_backend(&[state::CLOSED])?;
        frontend.vbd.unset("ring-ref")?;
        frontend.vbd.unset("event-channel")?;
        frontend.renew()?;
        frontend.vbd.set_state(state::INITIALISING)?;
        frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
    }
    frontend.detach()
}

fn netbsd(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend.expect_serving()?;
    frontend
        .vbd
        .set_backend("state", state::CLOSING.to_string())?;
    frontend.vbd.set_state(state::CLOSED)?;
    frontend.vbd.wait_backend(&[state::CLOSED])?;
    drop(frontend);
    bed.expect_attachable()
}

/// Writes the nodes of both multi-page schemes, for a ring of one page.
fn freebsd(bed: &Bed) -> Result<()> {
    let mut frontend = bed.waiting()?;
    frontend.features.naming = Naming::Both;
    frontend.connect()?;
    frontend.expect_serving()?;
    frontend.detach()
}

/// The crash dump driver takes a live disk over: new ring, new port, 1, 3.
fn windows(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend.expect_serving()?;
    let takes_over = bed.differs(
        false,
        true,
        "xen-blkback keeps the old ring until the frontend was Closed; ours begins again with 1",
    );
    if takes_over {
        frontend.vbd.set_state(state::INITIALISING)?;
        frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
        frontend.renew()?;
        frontend.connect()?;
    } else {
        frontend.vbd.set_state(state::INITIALISING)?;
        frontend.vbd.set_state(state::INITIALISED)?;
        sleep(QUIET);
        frontend.vbd.wait_backend(&[state::CONNECTED])?;
    }
    frontend.expect_serving()?;
    frontend.detach()
}

/// Closes and comes back at once: the backend may see only the last of 5, 6, 1, 3.
fn kexec(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    for _ in 0..20 {
        frontend.expect_serving()?;
        frontend.vbd.set_state(state::CLOSING)?;
        frontend.vbd.set_state(state::CLOSED)?;
        frontend.vbd.wait_backend(&[state::CLOSED])?;
        frontend.renew()?;
        frontend.publish()?;
        frontend.vbd.set_state(state::INITIALISING)?;
        frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
        frontend.vbd.set_state(state::INITIALISED)?;
        frontend.vbd.set_state(state::CONNECTED)?;
        frontend.vbd.wait_backend(&[state::CONNECTED])?;
    }
    let load = Load {
        seed: 77,
        start: 0,
        requests: 32,
        depth: 16,
        segments: 4,
        ragged: false,
    };
    load.run(&mut frontend, Direction::Write)?;
    load.run(&mut frontend, Direction::Verify)?;
    frontend.detach()
}
