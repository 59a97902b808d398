// SPDX-License-Identifier: GPL-2.0

//! `physical-device` early, late, wrong and changed.

use std::thread::sleep;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::backing::Device;
use crate::vbd::{Spec, Vbd};
use crate::wait::{patience, wait_for, QUIET};
use crate::wire::state;

/// A number no driver has.
const NO_DEVICE: Device = Device {
    major: 0xfff,
    minor: 0xff,
};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::once("hotplug/device-after-initialised", |bed| {
            device_after(bed, state::INITIALISED)
        }),
        Scenario::once("hotplug/device-after-connected", |bed| {
            device_after(bed, state::CONNECTED)
        }),
        Scenario::once("hotplug/device-before-frontend", device_before),
        Scenario::once("hotplug/missing-device-then-a-good-one", missing_then_good),
        Scenario::once("hotplug/junk-then-a-good-one", junk_then_good),
        Scenario::once(
            "hotplug/change-while-connected-is-ignored",
            change_while_connected,
        ),
        Scenario::once("hotplug/change-while-connected-then-closed", |bed| {
            change_then_leave(bed, |vbd| vbd.set_state(state::CLOSED))
        }),
        Scenario::once("hotplug/change-while-connected-then-gone", |bed| {
            change_then_leave(bed, Vbd::remove_frontend)
        }),
    ]
}

fn without_device(bed: &Bed) -> Spec {
    Spec {
        device: None,
        ..bed.spec()
    }
}

/// The frontend is ready first; the hotplug script comes later.
fn device_after(bed: &Bed, ready: u32) -> Result<()> {
    let mut frontend = bed.frontend(&without_device(bed))?;
    frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
    frontend.publish()?;
    frontend.vbd.set_state(ready)?;
    sleep(QUIET);
    frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
    frontend.vbd.plug(bed.disk.device)?;
    frontend.vbd.wait_backend(&[state::CONNECTED])?;
    frontend.vbd.set_state(state::CONNECTED)?;
    frontend.expect_serving()?;
    frontend.detach()
}

fn device_before(bed: &Bed) -> Result<()> {
    let mut frontend = bed.frontend(&without_device(bed))?;
    frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
    frontend.vbd.plug(bed.disk.device)?;
    sleep(QUIET);
    frontend.connect()?;
    frontend.expect_serving()?;
    frontend.detach()
}

fn missing_then_good(bed: &Bed) -> Result<()> {
    let mut frontend = bed.frontend(&without_device(bed))?;
    frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
    frontend.vbd.plug(NO_DEVICE)?;
    let why = wait_for(patience(), || frontend.vbd.error_node())?;
    ensure!(
        why.is_some(),
        "the backend does not say that the device is missing"
    );
    let wanted = bed.differs(
        state::CLOSING,
        state::INIT_WAIT,
        "xen-blkback gives up; ours waits for another physical-device",
    );
    sleep(QUIET);
    frontend.vbd.wait_backend(&[wanted])?;

    frontend.vbd.plug(bed.disk.device)?;
    if wanted == state::CLOSING {
        // The reference needs a frontend that starts over.
        frontend.close()?;
        frontend.vbd.set_state(state::INITIALISING)?;
    }
    frontend.connect()?;
    frontend.expect_serving()?;
    frontend.detach()
}

fn junk_then_good(bed: &Bed) -> Result<()> {
    for junk in [
        "",
        "zz:zz",
        "7:",
        ":0",
        "-1:0",
        "123456789:0",
        "7:0:0",
        &"f".repeat(2000),
    ] {
        let mut frontend = bed.frontend(&without_device(bed))?;
        frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
        frontend.vbd.set_backend("physical-device", junk)?;
        sleep(QUIET / 2);
        frontend
            .vbd
            .wait_backend(&[state::INIT_WAIT, state::CLOSING])
            .map_err(|error| error.context(format!("physical-device \"{junk:.20}\"")))?;
        let strict = bed.differs(
            false,
            true,
            "xen-blkback may take junk for a device and then refuses another; ours always takes the next",
        );
        if strict {
            frontend.vbd.plug(bed.disk.device)?;
            frontend.connect()?;
            frontend.expect_serving()?;
            frontend.detach()?;
        }
    }
    bed.expect_attachable()
}

fn change_while_connected(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend
        .vbd
        .set_backend("physical-device", NO_DEVICE.to_string())?;
    sleep(QUIET);
    frontend.vbd.wait_backend(&[state::CONNECTED])?;
    frontend.expect_serving()?;
    frontend.detach()
}

/// A disk whose device was changed goes like any other, though its frontend does not close state by state.
fn change_then_leave(bed: &Bed, leave: impl Fn(&Vbd) -> Result<()>) -> Result<()> {
    let frontend = bed.attach()?;
    let vbd = &frontend.vbd;
    vbd.set_backend("physical-device", NO_DEVICE.to_string())?;
    sleep(QUIET);
    vbd.set_backend("online", "0")?;
    vbd.set_backend("state", state::CLOSING.to_string())?;
    leave(vbd)?;
    bed.expect_released(vbd)
}
