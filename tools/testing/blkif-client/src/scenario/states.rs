// SPDX-License-Identifier: GPL-2.0

//! The orders in which frontends and toolstacks go through the states.

mod frontends;

use std::thread::sleep;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::vbd::Spec;
use crate::wait::QUIET;
use crate::wire::state;

pub fn scenarios() -> Vec<Scenario> {
    let mut scenarios = frontends::scenarios();
    scenarios.extend([
        Scenario::once("states/frontend-ready-before-backend-3", |bed| {
            preset_ready(bed, "3")
        }),
        Scenario::once("states/frontend-ready-before-backend-4", |bed| {
            preset_ready(bed, "4")
        }),
        Scenario::once("states/backend-removed-and-made-again-10-times", |bed| {
            (0..10).try_for_each(|_| preset_ready(bed, "3"))
        }),
        Scenario::once("states/frontend-preset-closing", |bed| {
            preset_closed(bed, "5")
        }),
        Scenario::once("states/frontend-preset-closed", |bed| {
            preset_closed(bed, "6")
        }),
        Scenario::once("states/backend-not-new-is-left-alone", backend_not_new),
        Scenario::once("states/closed-twice", closed_twice),
        Scenario::once("states/closing-twice", closing_twice),
        Scenario::once("states/3-1-3", jump_3_1_3),
        Scenario::once("states/4-1", jump_4_1),
        Scenario::once("states/offline-then-closed-is-released", offline_closed),
        Scenario::once("states/toolstack-closes-connected-disk", toolstack_closes),
        Scenario::once(
            "states/toolstack-closes-before-frontend-came",
            toolstack_closes_early,
        ),
    ]);
    scenarios
}

/// The frontend has published everything before the backend is made, as when the backend's module is loaded late.
fn preset_ready(bed: &Bed, preset: &'static str) -> Result<()> {
    let mut frontend = bed.waiting()?;
    frontend.publish()?;
    // Take the backend away under the frontend and make it anew.
    frontend.vbd.remove_backend()?;
    frontend.vbd.wait_gone()?;
    let spec = Spec {
        handle: frontend.vbd.handle(),
        frontend_state: preset,
        ..bed.spec()
    };
    let again = std::mem::replace(&mut frontend.vbd, bed.vbd(&spec)?);
    // Both values name the same directories; only one may take them away.
    std::mem::forget(again);
    frontend.vbd.wait_backend(&[state::CONNECTED])?;
    frontend.expect_serving()?;
    frontend.detach()
}

fn preset_closed(bed: &Bed, preset: &'static str) -> Result<()> {
    let mut frontend = bed.frontend(&Spec {
        frontend_state: preset,
        ..bed.spec()
    })?;
    frontend
        .vbd
        .wait_backend(&[state::CLOSING, state::CLOSED])?;
    frontend.vbd.set_state(state::CLOSED)?;
    frontend.vbd.wait_backend(&[state::CLOSED])?;
    frontend.vbd.set_state(state::INITIALISING)?;
    frontend.connect()?;
    frontend.expect_serving()?;
    frontend.detach()
}

/// A backend directory whose state is not 1 belongs to somebody else.
fn backend_not_new(bed: &Bed) -> Result<()> {
    let vbd = bed.vbd(&bed.spec())?;
    vbd.wait_backend(&[state::INIT_WAIT])?;
    vbd.remove_backend()?;
    vbd.wait_gone()?;
    for number in ["2", "4", "6", "junk"] {
        vbd.set_backend("state", number)?;
    }
    sleep(QUIET);
    ensure!(
        !vbd.sysfs().exists(),
        "a driver was bound to a backend directory that is not new"
    );
    Ok(())
}

fn closed_twice(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    for _ in 0..3 {
        frontend.vbd.set_state(state::CLOSED)?;
        frontend.vbd.wait_backend(&[state::CLOSED])?;
    }
    frontend.come_back()?;
    frontend.expect_serving()?;
    frontend.detach()
}

fn closing_twice(bed: &Bed) -> Result<()> {
    let frontend = bed.attach()?;
    for _ in 0..3 {
        frontend.vbd.set_state(state::CLOSING)?;
        frontend
            .vbd
            .wait_backend(&[state::CLOSING, state::CLOSED])?;
    }
    frontend.detach()
}

fn jump_3_1_3(bed: &Bed) -> Result<()> {
    let frontend = bed.waiting()?;
    frontend.publish()?;
    for _ in 0..10 {
        frontend.vbd.set_state(state::INITIALISED)?;
        frontend.vbd.set_state(state::INITIALISING)?;
    }
    frontend.vbd.set_state(state::INITIALISED)?;
    frontend.vbd.wait_backend(&[state::CONNECTED])?;
    frontend.detach()?;
    bed.expect_attachable()
}

fn jump_4_1(bed: &Bed) -> Result<()> {
    let frontend = bed.attach()?;
    frontend.vbd.set_state(state::INITIALISING)?;
    sleep(QUIET);
    let reached = frontend.vbd.backend_state()?;
    let wanted = bed.differs(
        state::CONNECTED,
        state::INIT_WAIT,
        "xen-blkback goes on until it is told to close; for ours 1 is a new beginning",
    );
    ensure!(
        reached == wanted,
        "the backend is in {reached}, not {wanted}"
    );
    frontend.detach()?;
    bed.expect_attachable()
}

fn offline_closed(bed: &Bed) -> Result<()> {
    let frontend = bed.attach()?;
    frontend.vbd.set_backend("online", "0")?;
    frontend.vbd.set_state(state::CLOSED)?;
    bed.expect_released(&frontend.vbd)?;
    frontend.vbd.destroy()
}

/// `xl block-detach`: the toolstack writes Closing for the backend, the frontend follows.
fn toolstack_closes(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend.expect_serving()?;
    frontend.vbd.set_backend("online", "0")?;
    frontend
        .vbd
        .set_backend("state", state::CLOSING.to_string())?;
    // Until the frontend closes it may still use the disk.
    frontend.expect_serving()?;
    frontend.vbd.set_state(state::CLOSING)?;
    frontend.vbd.set_state(state::CLOSED)?;
    bed.expect_released(&frontend.vbd)?;
    frontend.vbd.destroy()
}

fn toolstack_closes_early(bed: &Bed) -> Result<()> {
    let vbd = bed.vbd(&bed.spec())?;
    vbd.wait_backend(&[state::INIT_WAIT])?;
    vbd.set_backend("online", "0")?;
    vbd.set_backend("state", state::CLOSING.to_string())?;
    let closes = bed.differs(
        false,
        true,
        "xen-blkback waits for a frontend that is not there until the toolstack gives up; ours closes",
    );
    if closes {
        bed.expect_released(&vbd)?;
    } else {
        sleep(QUIET);
        vbd.wait_backend(&[state::CLOSING])?;
    }
    vbd.destroy()
}
