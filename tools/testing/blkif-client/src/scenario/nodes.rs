// SPDX-License-Identifier: GPL-2.0

//! Frontend nodes that are missing, senseless or not numbers (R28).
//!
//! Each is published once; then the frontend closes, publishes the right ones and must be served.

use std::thread::sleep;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::features::Features;
use crate::frontend::Frontend;
use crate::wait::{patience, wait_for, QUIET};
use crate::wire::offers::{QUEUES, RING_ORDER};
use crate::wire::{op, state, RING_SIZE};

/// What the backend does with the nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to Closing and says why in the error node.
    Refused,
    /// It connects and serves.
    Accepted,
    /// It refuses them, or connects to what can harm only the frontend.
    Either,
}

use Verdict::{Accepted, Either, Refused};

impl Verdict {
    /// Fails unless the backend of a frontend that has published does this.
    pub fn expect(self, frontend: &mut Frontend) -> Result<()> {
        frontend.vbd.set_state(state::INITIALISED)?;
        let reached =
            frontend
                .vbd
                .wait_backend(&[state::CONNECTED, state::CLOSING, state::CLOSED])?;
        let connected = reached == state::CONNECTED;
        if connected && self == Accepted {
            frontend.vbd.set_state(state::CONNECTED)?;
            return frontend.expect_serving();
        }
        ensure!(
            connected || self != Accepted,
            "refused with {:?}",
            frontend.vbd.error_node()?
        );
        ensure!(!connected || self == Either, "the backend connected");
        if !connected {
            ensure!(
                reached == state::CLOSING,
                "the backend went to {reached}, not Closing"
            );
            let why = wait_for(patience(), || frontend.vbd.error_node())?;
            ensure!(why.is_some(), "the backend does not say why it refused");
        }
        Ok(())
    }
}

/// Spoils the nodes of a frontend that has just published the right ones.
type Spoil = fn(&Frontend) -> Result<()>;

/// One way to spoil them, and what comes of it.
pub struct Case {
    /// The scenario's name.
    pub name: &'static str,
    spoil: Spoil,
    /// The nodes mean something only to a backend that offers this.
    feature: Option<&'static str>,
    blkback: Verdict,
    xbdback: Verdict,
}

impl Case {
    const fn new(name: &'static str, spoil: Spoil, verdict: Verdict) -> Self {
        Self {
            name,
            spoil,
            feature: None,
            blkback: verdict,
            xbdback: verdict,
        }
    }

    /// Nodes that nobody connects by.
    pub const fn refused(name: &'static str, spoil: Spoil) -> Self {
        Self::new(name, spoil, Refused)
    }

    /// Nodes that look wrong but are right, or mean nothing.
    pub const fn accepted(name: &'static str, spoil: Spoil) -> Self {
        Self::new(name, spoil, Accepted)
    }

    /// Nodes by which a frontend harms at most itself.
    pub const fn either(name: &'static str, spoil: Spoil) -> Self {
        Self::new(name, spoil, Either)
    }

    /// Nodes that are refused by a backend that offers `feature`; others need not look at them.
    const fn of_feature(name: &'static str, feature: &'static str, spoil: Spoil) -> Self {
        Self {
            feature: Some(feature),
            ..Self::new(name, spoil, Refused)
        }
    }

    /// A number that xen-blkback, which reads with `%u`, takes for another, finds at the start of other text, or
    /// overlooks.
    const fn sloppy(name: &'static str, spoil: Spoil) -> Self {
        Self {
            blkback: Accepted,
            ..Self::new(name, spoil, Refused)
        }
    }

    /// What the backend does that has `frontend`.
    fn verdict(&self, bed: &Bed, frontend: &Frontend) -> Result<Verdict> {
        if let Some(feature) = self.feature {
            if frontend.vbd.backend_number(feature)? == 0 {
                return Ok(Either);
            }
        }
        Ok(bed.differs(self.blkback, self.xbdback, "numbers are read strictly"))
    }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case::refused("nodes/no-event-channel", |f| f.vbd.unset("event-channel")),
    Case::refused("nodes/event-channel-0", |f| f.vbd.set("event-channel", "0")),
    Case::refused("nodes/event-channel-empty", |f| f.vbd.set("event-channel", "")),
    Case::refused("nodes/event-channel-text", |f| f.vbd.set("event-channel", "abc")),
    Case::refused("nodes/event-channel-minus-1", |f| f.vbd.set("event-channel", "-1")),
    Case::refused("nodes/event-channel-2^32", |f| f.vbd.set("event-channel", "4294967296")),
    Case::refused("nodes/event-channel-not-ours", |f| f.vbd.set("event-channel", "1")),
    Case::refused("nodes/event-channel-unallocated", |f| f.vbd.set("event-channel", "4000")),
    Case::refused("nodes/event-channel-beyond-all", |f| f.vbd.set("event-channel", "4294967295")),
    Case::refused("nodes/event-channel-1000-digits", |f| f.vbd.set("event-channel", "9".repeat(1000))),
    Case::sloppy("nodes/event-channel-trailing-space", |f| f.vbd.set("event-channel", format!("{} ", f.channel.port()))),
    Case::sloppy("nodes/event-channel-trailing-nul", |f| f.vbd.set("event-channel", format!("{}\0x", f.channel.port()))),
    Case::refused("nodes/no-ring-ref", |f| f.vbd.unset("ring-ref")),
    Case::refused("nodes/ring-ref-empty", |f| f.vbd.set("ring-ref", "")),
    Case::refused("nodes/ring-ref-text", |f| f.vbd.set("ring-ref", "ring")),
    Case::refused("nodes/ring-ref-minus-1", |f| f.vbd.set("ring-ref", "-1")),
    Case::refused("nodes/ring-ref-no-grant", |f| f.vbd.set("ring-ref", "4294967280")),
    Case::refused("nodes/ring-ref-2^32", |f| f.vbd.set("ring-ref", "4294967296")),
    Case::refused("nodes/ring-ref-3000-digits", |f| f.vbd.set("ring-ref", "9".repeat(3000))),
    Case::sloppy("nodes/ring-ref-leading-space", |f| f.vbd.set("ring-ref", format!(" {}", f.ring.gref()))),
    Case::sloppy("nodes/ring-ref-trailing-junk", |f| f.vbd.set("ring-ref", format!("{}x", f.ring.gref()))),
    Case::refused("nodes/protocol-unknown", |f| f.vbd.set("protocol", "pdp11-abi")),
    Case::refused("nodes/protocol-binary", |f| f.vbd.set("protocol", [0xff, 0x1b, 0x0a, b'%', b's', 0x80].repeat(400))),
    Case::refused("nodes/protocol-long", |f| f.vbd.set("protocol", "x86_64-abi".repeat(300))),
    Case::accepted("nodes/ring-page-order-0", ring_page_order_0),
    Case::of_feature("nodes/ring-page-order-31", RING_ORDER, |f| f.vbd.set("ring-page-order", "31")),
    Case::of_feature("nodes/multi-queue-num-queues-0", QUEUES, |f| f.vbd.set("multi-queue-num-queues", "0")),
    Case::of_feature("nodes/multi-queue-num-queues-65536", QUEUES, |f| f.vbd.set("multi-queue-num-queues", "65536")),
    Case { blkback: Accepted, ..Case::of_feature("nodes/multi-queue-num-queues-minus-1", QUEUES, |f| f.vbd.set("multi-queue-num-queues", "-1")) },
    Case { xbdback: Either, ..Case::accepted("nodes/feature-persistent-text", |f| f.vbd.set("feature-persistent", "yes please")) },
];

pub fn scenarios() -> Vec<Scenario> {
    CASES
        .iter()
        .map(|case| Scenario::once(case.name, |bed| publish_spoilt(bed, case, bed.features)))
        .chain([Scenario::once(
            "nodes/one-ring-for-two-disks",
            one_ring_for_two_disks,
        )])
        .collect()
}

/// A ring of one page in the other scheme; the reference needs it, for ours `ring-ref` is still there.
fn ring_page_order_0(frontend: &Frontend) -> Result<()> {
    frontend.vbd.set("ring-page-order", "0")?;
    frontend
        .vbd
        .set("ring-ref0", frontend.ring.gref().to_string())
}

/// Publishes the nodes of a frontend that asks for `features`, spoilt; then the next frontend does it right.
pub fn publish_spoilt(bed: &Bed, case: &Case, features: Features) -> Result<()> {
    let mut frontend = bed.frontend_with(&bed.spec(), features)?;
    frontend.vbd.wait_backend(&[state::INIT_WAIT])?;
    frontend.need_rings()?;
    let verdict = case.verdict(bed, &frontend)?;
    frontend.publish()?;
    (case.spoil)(&frontend)?;
    verdict.expect(&mut frontend)?;

    frontend.reconnect(features)?;
    frontend.expect_serving()?;
    frontend.detach()
}

fn one_ring_for_two_disks(bed: &Bed) -> Result<()> {
    let mut first = bed.attach_spec(&crate::vbd::Spec {
        mode: "w!",
        ..bed.spec()
    })?;
    let second = bed.frontend(&crate::vbd::Spec {
        mode: "w!",
        ..bed.spec()
    })?;
    second.vbd.wait_backend(&[state::INIT_WAIT])?;
    second.publish()?;
    second.vbd.set("ring-ref", first.ring.gref().to_string())?;
    second.vbd.set_state(state::INITIALISED)?;
    second
        .vbd
        .wait_backend(&[state::CONNECTED, state::CLOSING, state::CLOSED])?;
    // Perhaps both answer, in the same places: nobody can rely on that, but both backends must outlive it.
    for _ in 0..RING_SIZE {
        let read = first.request(op::READ, 0, 1);
        first.post(&read);
    }
    first.push();
    sleep(QUIET);
    first.detach()?;
    drop(second);
    bed.expect_attachable()
}
