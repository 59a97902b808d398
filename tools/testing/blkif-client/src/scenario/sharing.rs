// SPDX-License-Identifier: GPL-2.0

//! Two disks on one device: who may share it with whom.

use std::thread::sleep;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::vbd::Spec;
use crate::wait::{patience, wait_for, QUIET};
use crate::wire::state;

pub fn scenarios() -> Vec<Scenario> {
    [
        ("sharing/second-writer-is-refused", "w", "w", false),
        ("sharing/reader-beside-a-writer-is-refused", "w", "r", false),
        ("sharing/writer-beside-a-reader-is-refused", "r", "w", false),
        ("sharing/two-readers", "r", "r", true),
        ("sharing/two-writers-on-request", "w!", "w!", true),
    ]
    .into_iter()
    .map(|(name, first, second, allowed)| {
        Scenario::once(name, move |bed| share(bed, first, second, allowed))
    })
    .collect()
}

fn share(bed: &Bed, first: &'static str, second: &'static str, allowed: bool) -> Result<()> {
    let allowed = bed.differs(
        true,
        allowed,
        "xen-blkback leaves sharing to the hotplug script; ours claims the device in the kernel",
    );
    let first = bed.attach_spec(&Spec {
        mode: first,
        ..bed.spec()
    })?;
    let mut second = bed.frontend(&Spec {
        mode: second,
        ..bed.spec()
    })?;
    if allowed {
        second.connect()?;
        let read = second.request(crate::wire::op::READ, 0, 1);
        second.expect("a read", &read, 0)?;
        second.detach()?;
        return first.detach();
    }

    let why = wait_for(patience(), || second.vbd.error_node())?;
    ensure!(
        why.is_some(),
        "the backend does not say that the device is in use"
    );
    second.publish()?;
    second.vbd.set_state(state::INITIALISED)?;
    sleep(QUIET);
    second.vbd.wait_backend(&[state::INIT_WAIT])?;

    // The device is given when it is free and the hotplug script says so again.
    first.detach()?;
    second.vbd.plug(bed.disk.device)?;
    second.vbd.wait_backend(&[state::CONNECTED])?;
    let read = second.request(crate::wire::op::READ, 0, 1);
    second.expect("a read", &read, 0)?;
    second.detach()
}
