// SPDX-License-Identifier: GPL-2.0

//! Ends of every kind with requests in flight, and beginnings without number (R15).

use std::thread::sleep;
use std::time::Duration;

use anyhow::{ensure, Result};

use super::{Bed, Layouts, Scenario};
use crate::child;
use crate::features::{Features, Naming};
use crate::frontend::Frontend;
use crate::gntalloc::Access;
use crate::ktap::Skip;
use crate::nullblk::SlowDisk;
use crate::peer::Peer;
use crate::traffic;
use crate::vbd::Spec;
use crate::wire::{op, state};

/// Long enough for everything in flight to be in flight when the end comes.
const DELAY: Duration = Duration::from_millis(300);

/// How a frontend ends, what it is called, and the layouts to try it in.
type End = (&'static str, Layouts, fn(&Frontend) -> Result<()>);

const ENDS: &[End] = &[
    ("closing", Layouts::Both, Frontend::close),
    ("closed", Layouts::Any, |frontend| {
        frontend.vbd.set_state(state::CLOSED)?;
        frontend.vbd.wait_backend(&[state::CLOSED]).map(|_| ())
    }),
    ("frontend-directory-removed", Layouts::Any, |frontend| {
        frontend.vbd.remove_frontend()
    }),
    ("backend-directory-removed", Layouts::Any, |frontend| {
        frontend.vbd.remove_backend()?;
        frontend.vbd.wait_gone()
    }),
    ("both-directories-removed", Layouts::Any, |frontend| {
        frontend.vbd.remove_backend()?;
        frontend.vbd.remove_frontend()?;
        frontend.vbd.wait_gone()
    }),
];

/// Two full rings of four pages, with requests of every kind.
const EVERYTHING: Features = Features {
    queues: 2,
    order: 2,
    naming: Naming::Order,
    persistent: true,
    indirect: true,
};

pub fn scenarios() -> Vec<Scenario> {
    let ends = [
        ("32-in-flight", Features::NONE),
        ("256-mixed-in-flight", EVERYTHING),
    ]
    .into_iter()
    .flat_map(|(load, features)| {
        ENDS.iter().map(move |(end, layouts, act)| {
            Scenario::new(
                *layouts,
                format!("lifecycle/{end}-with-{load}"),
                move |bed| end_in_flight(bed, features, *act),
            )
        })
    });
    let others = [
        Scenario::once("lifecycle/frontend-killed-with-32-in-flight", |bed| {
            killed(bed, Features::NONE)
        }),
        Scenario::once(
            "lifecycle/frontend-killed-with-256-mixed-in-flight",
            |bed| killed(bed, EVERYTHING),
        ),
        Scenario::once("lifecycle/pages-granted-again-with-32-in-flight", |bed| {
            granted_again(bed, &[state::CLOSED])
        }),
        Scenario::once(
            "lifecycle/pages-granted-again-while-the-disk-closes",
            |bed| granted_again(bed, &[state::CLOSING, state::CLOSED]),
        ),
        Scenario::once("lifecycle/replaced-with-32-in-flight", |bed| {
            replaced(bed, |_| Ok(()))
        }),
        Scenario::once("lifecycle/replaced-while-the-disk-closes", |bed| {
            replaced(bed, |frontend| {
                frontend.vbd.set_backend("online", "0")?;
                frontend.vbd.set_state(state::CLOSED)?;
                // The backend waits for the disk now.
                sleep(DELAY / 10);
                Ok(())
            })
        }),
        Scenario::once("lifecycle/reconnected-25-times", |bed| reconnect(bed, 25)),
        Scenario::once("lifecycle/attached-and-detached-25-times", |bed| {
            (0..25).try_for_each(|_| bed.expect_attachable())
        }),
        Scenario::once("lifecycle/same-number-again-at-once", same_number_again),
        Scenario::once("lifecycle/eight-disks-at-once", eight_disks),
    ];
    ends.chain(others).collect()
}

/// A disk that answers late.
fn slow_spec(bed: &Bed, slow: &SlowDisk) -> Spec {
    Spec {
        device: Some(slow.disk.device),
        ..bed.spec()
    }
}

/// Fills the rings of a disk that answers late, ends the frontend by `end`, and sees that all is released.
fn end_in_flight(bed: &Bed, features: Features, end: fn(&Frontend) -> Result<()>) -> Result<()> {
    let slow = SlowDisk::new(DELAY)?;
    let mut frontend = bed.attach_spec_with(&slow_spec(bed, &slow), features)?;
    traffic::post(&mut frontend, features.requests())?;
    end(&frontend)?;
    drop(frontend);
    bed.expect_attachable()
}

fn killed(bed: &Bed, features: Features) -> Result<()> {
    let slow = SlowDisk::new(DELAY)?;
    // Skips what is not offered, which the frontend that dies could not.
    bed.attach_spec_with(&slow_spec(bed, &slow), features)?
        .detach()?;
    let handle = bed.handle();
    child::die_in_flight(
        handle,
        slow.disk.device,
        bed.abi,
        &features,
        features.requests(),
    )?;
    // What a toolstack does when the domain is gone.
    bed.adopt(handle).destroy()?;
    bed.expect_attachable()
}

/// A frontend that closes has forgotten its requests, as has a crash kernel that begins anew. What it grants next may
/// have the references of their pages: reads that come to their end late must not be copied there.
fn granted_again(bed: &Bed, states: &[u32]) -> Result<()> {
    const NEW: u8 = 0xa5;
    let slow = SlowDisk::new(DELAY)?;
    let mut frontend = bed.attach_spec(&slow_spec(bed, &slow))?;
    let read = frontend.request(op::READ, 0, 8);
    for _ in 0..32 {
        frontend.post(&read);
    }
    frontend.push();
    for state in states {
        frontend.vbd.set_state(*state)?;
        // The backend waits for the disk meanwhile.
        sleep(DELAY / 10);
    }
    let count = frontend.pages.len();
    frontend.pages.clear();
    for _ in 0..count {
        let page = frontend.grant(Access::ReadWrite)?;
        page.fill(NEW);
        frontend.pages.push(page);
    }
    frontend.vbd.wait_backend(&[state::CLOSED])?;
    ensure!(
        frontend.pages.iter().all(|page| page.holds_only(NEW)),
        "a page that was granted after the end was written to"
    );
    drop(frontend);
    bed.expect_attachable()
}

/// Another disk takes the place of one in use, in a transaction: there is no time at which its directory is gone.
fn replaced(bed: &Bed, first: fn(&Frontend) -> Result<()>) -> Result<()> {
    if bed.peer == Peer::XenBlkback {
        return Err(Skip("xen-blkback never learns of it".to_owned()).into());
    }
    let slow = SlowDisk::new(DELAY)?;
    let mut frontend = bed.attach_spec(&slow_spec(bed, &slow))?;
    for _ in 0..3 {
        traffic::post(&mut frontend, Features::NONE.requests())?;
        first(&frontend)?;
        frontend.vbd.replace(&Spec {
            handle: frontend.vbd.handle(),
            ..slow_spec(bed, &slow)
        })?;
        frontend.renew()?;
        frontend.connect()?;
    }
    drop(frontend);
    bed.expect_attachable()
}

fn reconnect(bed: &Bed, times: u32) -> Result<()> {
    let mut frontend = bed.attach()?;
    for _ in 0..times {
        frontend.expect_serving()?;
        frontend.reconnect(bed.features)?;
    }
    frontend.detach()
}

/// A domain that is rebooted gets the same disk number while the kernel may still be busy with the old one.
fn same_number_again(bed: &Bed) -> Result<()> {
    let handle = bed.handle();
    for _ in 0..10 {
        let mut frontend = bed.attach_spec(&Spec {
            handle,
            ..bed.spec()
        })?;
        frontend.expect_serving()?;
        drop(frontend);
    }
    Ok(())
}

fn eight_disks(bed: &Bed) -> Result<()> {
    let mut frontends = (0..8)
        .map(|_| {
            bed.attach_spec(&Spec {
                mode: "w!",
                ..bed.spec()
            })
        })
        .collect::<Result<Vec<_>>>()?;
    for round in 0..10 {
        for frontend in &mut frontends {
            for number in 0..8 {
                let read = frontend.request(op::READ, 8 * (round + number), 2);
                frontend.post(&read);
            }
            frontend.push();
        }
        for frontend in &mut frontends {
            frontend.answers(8)?;
        }
    }
    frontends.into_iter().try_for_each(Frontend::detach)
}
