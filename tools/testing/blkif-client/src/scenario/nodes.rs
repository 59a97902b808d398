// SPDX-License-Identifier: GPL-2.0

//! Frontend nodes that are missing, senseless or not numbers (R28).
//!
//! Each is published once; then the frontend closes, publishes the right ones and must be served.

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::frontend::Frontend;
use crate::wait::{wait_for, PATIENCE};
use crate::wire::state;

/// What the backend does with the nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It goes to Closing and says why in the error node.
    Refused,
    /// It connects and serves.
    Accepted,
}

use Verdict::{Accepted, Refused};

/// Spoils the nodes of a frontend that has just published the right ones.
type Spoil = fn(&Frontend) -> Result<()>;

struct Case {
    name: &'static str,
    spoil: Spoil,
    blkback: Verdict,
    xbdback: Verdict,
}

/// A case with one answer.
const fn case(name: &'static str, spoil: Spoil, verdict: Verdict) -> Case {
    Case {
        name,
        spoil,
        blkback: verdict,
        xbdback: verdict,
    }
}

/// A number that xen-blkback, which reads with `%u`, takes for another or finds at the start of other text.
const fn sloppy(name: &'static str, spoil: Spoil) -> Case {
    Case {
        name,
        spoil,
        blkback: Accepted,
        xbdback: Refused,
    }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("nodes/no-event-channel", |f| f.vbd.unset("event-channel"), Refused),
    case("nodes/event-channel-0", |f| f.vbd.set("event-channel", "0"), Refused),
    case("nodes/event-channel-empty", |f| f.vbd.set("event-channel", ""), Refused),
    case("nodes/event-channel-text", |f| f.vbd.set("event-channel", "abc"), Refused),
    case("nodes/event-channel-minus-1", |f| f.vbd.set("event-channel", "-1"), Refused),
    case("nodes/event-channel-2^32", |f| f.vbd.set("event-channel", "4294967296"), Refused),
    case("nodes/event-channel-not-ours", |f| f.vbd.set("event-channel", "1"), Refused),
    case("nodes/event-channel-unallocated", |f| f.vbd.set("event-channel", "4000"), Refused),
    case("nodes/event-channel-beyond-all", |f| f.vbd.set("event-channel", "4294967295"), Refused),
    case("nodes/event-channel-1000-digits", |f| f.vbd.set("event-channel", "9".repeat(1000)), Refused),
    sloppy("nodes/event-channel-trailing-space", |f| f.vbd.set("event-channel", format!("{} ", f.channel.port()))),
    sloppy("nodes/event-channel-trailing-nul", |f| f.vbd.set("event-channel", format!("{}\0x", f.channel.port()))),
    case("nodes/no-ring-ref", |f| f.vbd.unset("ring-ref"), Refused),
    case("nodes/ring-ref-empty", |f| f.vbd.set("ring-ref", ""), Refused),
    case("nodes/ring-ref-text", |f| f.vbd.set("ring-ref", "ring"), Refused),
    case("nodes/ring-ref-minus-1", |f| f.vbd.set("ring-ref", "-1"), Refused),
    case("nodes/ring-ref-no-grant", |f| f.vbd.set("ring-ref", "4294967280"), Refused),
    case("nodes/ring-ref-2^32", |f| f.vbd.set("ring-ref", "4294967296"), Refused),
    case("nodes/ring-ref-3000-digits", |f| f.vbd.set("ring-ref", "9".repeat(3000)), Refused),
    sloppy("nodes/ring-ref-leading-space", |f| f.vbd.set("ring-ref", format!(" {}", f.ring.gref()))),
    sloppy("nodes/ring-ref-trailing-junk", |f| f.vbd.set("ring-ref", format!("{}x", f.ring.gref()))),
    case("nodes/protocol-unknown", |f| f.vbd.set("protocol", "pdp11-abi"), Refused),
    case("nodes/protocol-binary", |f| f.vbd.set("protocol", [0xff, 0x1b, 0x0a, b'%', b's', 0x80].repeat(400)), Refused),
    case("nodes/protocol-long", |f| f.vbd.set("protocol", "x86_64-abi".repeat(300)), Refused),
    case("nodes/ring-page-order-0", ring_page_order_0, Accepted),
    Case {
        name: "nodes/ring-page-order-31",
        spoil: |f| f.vbd.set("ring-page-order", "31"),
        blkback: Refused,
        xbdback: Accepted,
    },
    Case {
        name: "nodes/multi-queue-num-queues-0",
        spoil: |f| f.vbd.set("multi-queue-num-queues", "0"),
        blkback: Refused,
        xbdback: Accepted,
    },
    Case {
        name: "nodes/multi-queue-num-queues-65536",
        spoil: |f| f.vbd.set("multi-queue-num-queues", "65536"),
        blkback: Refused,
        xbdback: Accepted,
    },
    case("nodes/multi-queue-num-queues-minus-1", |f| f.vbd.set("multi-queue-num-queues", "-1"), Accepted),
    case("nodes/feature-persistent-text", |f| f.vbd.set("feature-persistent", "yes please"), Accepted),
];

pub fn scenarios() -> Vec<Scenario> {
    CASES
        .iter()
        .map(|case| Scenario::once(case.name, |bed| publish_spoilt(bed, case)))
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

fn publish_spoilt(bed: &Bed, case: &Case) -> Result<()> {
    let wanted = bed.differs(
        case.blkback,
        case.xbdback,
        "numbers are read strictly, and nodes of features that ours does not offer yet are not read",
    );
    let mut frontend = bed.waiting()?;
    frontend.publish()?;
    (case.spoil)(&frontend)?;
    frontend.vbd.set_state(state::INITIALISED)?;
    let reached = frontend
        .vbd
        .wait_backend(&[state::CONNECTED, state::CLOSING, state::CLOSED])?;
    if wanted == Accepted {
        ensure!(
            reached == state::CONNECTED,
            "refused with {:?}",
            frontend.vbd.error_node()?
        );
        frontend.vbd.set_state(state::CONNECTED)?;
        frontend.expect_serving()?;
    } else {
        ensure!(
            reached == state::CLOSING,
            "the backend went to {reached}, not Closing"
        );
        let why = wait_for(PATIENCE, || frontend.vbd.error_node())?;
        ensure!(why.is_some(), "the backend does not say why it refused");
    }

    // The next frontend of the same disk does it right.
    frontend.close()?;
    for node in [
        "ring-page-order",
        "ring-ref0",
        "multi-queue-num-queues",
        "feature-persistent",
    ] {
        frontend.vbd.unset(node)?;
    }
    frontend.renew()?;
    frontend.vbd.set_state(state::INITIALISING)?;
    frontend.connect()?;
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
    // Only the first is rung, so only it answers.
    first.expect_serving()?;
    first.detach()?;
    drop(second);
    bed.expect_attachable()
}
