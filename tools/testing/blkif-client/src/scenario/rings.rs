// SPDX-License-Identifier: GPL-2.0

//! Rings of several pages, in both naming schemes.

use anyhow::{ensure, Result};

use super::nodes::{publish_spoilt, Case, Verdict};
use super::{Bed, Scenario};
use crate::features::{Features, Naming};
use crate::load::{Direction, Load};
use crate::request::Request;
use crate::wire::{offers, op};

/// Longer than any backend offers, and still short enough to be granted.
const LONGEST: u32 = 5;

/// The reference of a page in the middle of a ring of four, spoilt.
const CASES: &[Case] = &[
    Case::refused("rings/no-ring-ref0", |f| f.vbd.unset("ring-ref0")),
    Case::refused("rings/no-ring-ref2", |f| f.vbd.unset("ring-ref2")),
    Case::refused("rings/no-last-ring-ref", |f| f.vbd.unset("ring-ref3")),
    Case::refused("rings/ring-ref2-empty", |f| f.vbd.set("ring-ref2", "")),
    Case::refused("rings/ring-ref2-text", |f| f.vbd.set("ring-ref2", "two")),
    Case::refused("rings/last-ring-ref-no-grant", |f| {
        f.vbd.set("ring-ref3", "4294967280")
    }),
    Case::refused("rings/only-ring-ref", |f| {
        for page in 0..4 {
            f.vbd.unset(&format!("ring-ref{page}"))?;
        }
        f.vbd.set("ring-ref", f.ring.gref().to_string())
    }),
    Case::either("rings/ring-ref2-is-ring-ref1", |f| {
        f.vbd.set("ring-ref2", f.ring.grefs()[1].to_string())
    }),
    Case::refused("rings/order-one-too-many", |f| {
        let order = f.vbd.backend_number(offers::RING_ORDER)? + 1;
        f.vbd.set("ring-page-order", order.to_string())
    }),
    Case::refused("rings/order-31", |f| f.vbd.set("ring-page-order", "31")),
    Case::refused("rings/order-32", |f| f.vbd.set("ring-page-order", "32")),
    Case::refused("rings/order-2^32-1", |f| {
        f.vbd.set("ring-page-order", "4294967295")
    }),
    // xen-blkback takes what it cannot read for a ring of one page, and there is no node for that.
    Case::refused("rings/order-minus-1", |f| {
        f.vbd.set("ring-page-order", "-1")
    }),
    Case::refused("rings/order-empty", |f| f.vbd.set("ring-page-order", "")),
    Case::refused("rings/order-text", |f| f.vbd.set("ring-page-order", "two")),
];

pub fn scenarios() -> Vec<Scenario> {
    let orders = (0..=LONGEST).map(|order| {
        Scenario::both(format!("rings/order-{order}"), move |bed| {
            works(bed, order, Naming::Order)
        })
    });
    let counts = (1..=LONGEST).map(|order| {
        let pages = 1 << order;
        Scenario::both(format!("rings/num-ring-pages-{pages}"), move |bed| {
            works(bed, order, Naming::Count)
        })
    });
    let cases = CASES
        .iter()
        .map(|case| Scenario::once(case.name, |bed| spoilt(bed, case)));
    let others = [
        Scenario::both("rings/both-schemes-at-once", |bed| {
            works(bed, 2, Naming::Both)
        }),
        Scenario::both("rings/no-slot-is-lost", no_slot_is_lost),
        Scenario::once("rings/ring-ref1-no-grant", grant_missing_inside),
        Scenario::once("rings/num-ring-pages-of-nonsense", nonsense_count),
        Scenario::once("rings/longer-and-shorter", longer_and_shorter),
        Scenario::both("rings/req-prod-beyond-a-long-ring", beyond),
        Scenario::both("rings/about-to-wrap", about_to_wrap),
    ];
    orders.chain(counts).chain(cases).chain(others).collect()
}

fn of_order(order: u32) -> Features {
    Features {
        order,
        ..Features::default()
    }
}

/// Twice around a full ring.
fn around(frontend_requests: u32) -> Load {
    Load {
        seed: 31,
        start: 24,
        requests: 2 * frontend_requests + 3,
        depth: frontend_requests,
        segments: 1,
        ragged: true,
    }
}

fn works(bed: &Bed, order: u32, naming: Naming) -> Result<()> {
    let features = Features {
        naming,
        ..of_order(order)
    };
    bed.move_data(bed.attach_with(features)?, &around(features.requests()))
}

fn spoilt(bed: &Bed, case: &Case) -> Result<()> {
    publish_spoilt(bed, case, of_order(2))
}

/// The pages before and after one that cannot be mapped are let go.
fn grant_missing_inside(bed: &Bed) -> Result<()> {
    let lets_go = bed.differs(
        false,
        true,
        "the kernel's own helper, which xen-blkback relies on, forgets the pages after the bad one",
    );
    let case = Case::refused("", |f| f.vbd.set("ring-ref1", "4294967280"));
    if lets_go {
        publish_spoilt(bed, &case, of_order(2))?;
    }
    Ok(())
}

/// Every slot of a long ring is used, and comes back with its own id.
fn no_slot_is_lost(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(of_order(2))?;
    let requests: Vec<Request> = (0..u64::from(frontend.ring.size()))
        .map(|number| frontend.request(op::READ, number, 1))
        .collect();
    let mut ids: Vec<u64> = requests.iter().map(|request| request.id).collect();
    let answers = frontend.call_all(&requests)?;
    let mut answered: Vec<u64> = answers.iter().map(|answer| answer.id).collect();
    ids.sort_unstable();
    answered.sort_unstable();
    ensure!(ids == answered, "the ids are not those that were sent");
    ensure!(
        answers.iter().all(|answer| answer.status == 0),
        "a read failed"
    );
    frontend.detach()
}

/// The older node counts pages, not their logarithm, so it can hold more that is no ring.
fn nonsense_count(bed: &Bed) -> Result<()> {
    for count in ["0", "3", "-1", "65536", "many"] {
        let features = Features {
            naming: Naming::Count,
            ..of_order(1)
        };
        let mut frontend = bed.frontend_with(&bed.spec(), features)?;
        frontend
            .vbd
            .wait_backend(&[crate::wire::state::INIT_WAIT])?;
        frontend.need_rings()?;
        frontend.publish()?;
        frontend.vbd.set("num-ring-pages", count)?;
        Verdict::Refused.expect(&mut frontend)?;
        frontend.reconnect(features)?;
        frontend.expect_serving()?;
        frontend.detach()?;
    }
    Ok(())
}

/// One disk, and drivers one after another that ask for different rings.
fn longer_and_shorter(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(of_order(2))?;
    for order in [0, 2, 1, 0] {
        frontend.reconnect(of_order(order))?;
        around(of_order(order).requests()).run(&mut frontend, Direction::Write)?;
    }
    frontend.detach()
}

fn beyond(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(of_order(2))?;
    frontend.expect_serving()?;
    let size = frontend.ring.size();
    super::indices::bogus_on(bed, frontend, size + 1)
}

fn about_to_wrap(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(of_order(1))?;
    frontend.close()?;
    frontend.vbd.set_state(crate::wire::state::INITIALISING)?;
    frontend.renew_at(u32::MAX - 80)?;
    frontend.connect()?;
    around(frontend.features.requests()).run(&mut frontend, Direction::Write)?;
    frontend.detach()
}
