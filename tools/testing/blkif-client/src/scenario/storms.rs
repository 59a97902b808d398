// SPDX-License-Identifier: GPL-2.0

//! Floods of events and of xenstore writes (R17, R18): costly to send, cheap to receive, harmless to others.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::nullblk::SlowDisk;
use crate::vbd::Spec;
use crate::wait::patience;
use crate::wire::{op, state};

const STORM: Duration = Duration::from_secs(2);

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::once("storms/events-without-requests", events_without_requests),
        Scenario::once("storms/writes-of-the-same-state", writes_of_the_same_state),
        Scenario::once("storms/sibling-is-served-meanwhile", sibling_is_served),
    ]
}

/// Xen's late end of interrupt: events that bring nothing are delayed more and more.
fn events_without_requests(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    let before = frontend.vbd.sysfs_number("xenbus/jiffies_eoi_delayed")?;
    let end = Instant::now() + STORM;
    while Instant::now() < end {
        frontend.channel.notify();
    }
    let delayed = frontend.vbd.sysfs_number("xenbus/jiffies_eoi_delayed")? - before;
    ensure!(delayed > 0, "spurious events were never delayed");
    frontend.expect_serving()?;
    frontend.detach()
}

fn writes_of_the_same_state(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach()?;
    let end = Instant::now() + STORM;
    while Instant::now() < end {
        frontend.vbd.set_state(state::CONNECTED)?;
    }
    frontend.vbd.wait_backend(&[state::CONNECTED])?;
    frontend.expect_serving()?;
    frontend.detach()
}

fn sibling_is_served(bed: &Bed) -> Result<()> {
    let slow = SlowDisk::new(Duration::from_millis(50))?;
    let noisy = bed.attach_spec(&Spec {
        device: Some(slow.disk.device),
        ..bed.spec()
    })?;
    let mut sibling = bed.attach()?;
    let end = Instant::now() + STORM;
    let mut worst = Duration::ZERO;
    while Instant::now() < end {
        for _ in 0..100 {
            noisy.channel.notify();
        }
        let read = sibling.request(op::READ, 0, 1);
        let start = Instant::now();
        sibling.expect("the sibling's read", &read, 0)?;
        worst = worst.max(start.elapsed());
    }
    ensure!(
        worst < patience() / 6,
        "a read of the sibling took {worst:?} during the storm"
    );
    sibling.detach()?;
    noisy.detach()
}
