// SPDX-License-Identifier: GPL-2.0

//! Several rings for one disk.

use std::thread::sleep;

use anyhow::{ensure, Context, Result};

use super::nodes::{publish_spoilt, Case};
use super::{Bed, Scenario};
use crate::features::Features;
use crate::load::{Direction, Load};
use crate::wait::QUIET;
use crate::wire::{offers, op, state};

/// Two queues of two pages each, spoilt.
const CASES: &[Case] = &[
    Case::refused("queues/count-0", |f| {
        f.vbd.set("multi-queue-num-queues", "0")
    }),
    Case::refused("queues/count-one-too-many", |f| {
        let count = f.vbd.backend_number(offers::QUEUES)? + 1;
        f.vbd.set("multi-queue-num-queues", count.to_string())
    }),
    Case::refused("queues/count-65536", |f| {
        f.vbd.set("multi-queue-num-queues", "65536")
    }),
    Case::refused("queues/count-2^32-1", |f| {
        f.vbd.set("multi-queue-num-queues", "4294967295")
    }),
    // What xen-blkback cannot read it takes for one queue, and for that there are no nodes.
    Case::refused("queues/count-minus-1", |f| {
        f.vbd.set("multi-queue-num-queues", "-1")
    }),
    Case::refused("queues/count-text", |f| {
        f.vbd.set("multi-queue-num-queues", "two")
    }),
    Case::refused("queues/count-1-but-no-nodes-of-one", |f| {
        f.vbd.set("multi-queue-num-queues", "1")
    }),
    Case::refused("queues/no-queue-1", |f| f.vbd.unset("queue-1")),
    Case::refused("queues/no-queue-0", |f| f.vbd.unset("queue-0")),
    Case::refused("queues/no-ring-ref", |f| f.vbd.unset("queue-1/ring-ref1")),
    Case::refused("queues/no-event-channel", |f| {
        f.vbd.unset("queue-1/event-channel")
    }),
    Case::refused("queues/event-channel-of-the-disk-only", |f| {
        let port = f.channel.port().to_string();
        f.vbd.unset("queue-0/event-channel")?;
        f.vbd.unset("queue-1/event-channel")?;
        f.vbd.set("event-channel", port)
    }),
    Case::refused("queues/all-nodes-of-the-disk-only", |f| {
        f.vbd.unset("queue-0")?;
        f.vbd.unset("queue-1")?;
        f.vbd.set("event-channel", f.channel.port().to_string())?;
        f.vbd.set("ring-ref0", f.ring.grefs()[0].to_string())?;
        f.vbd.set("ring-ref1", f.ring.grefs()[1].to_string())
    }),
    Case::refused("queues/same-port-twice", |f| {
        let port = f.channel.port().to_string();
        f.vbd.set("queue-1/event-channel", port)
    }),
    Case::either("queues/same-ring-twice", |f| {
        f.vbd
            .set("queue-1/ring-ref0", f.ring.grefs()[0].to_string())?;
        f.vbd
            .set("queue-1/ring-ref1", f.ring.grefs()[1].to_string())
    }),
    Case::refused("queues/second-ring-shorter", |f| {
        let gref = f.queues[1].ring.gref().to_string();
        f.vbd.unset("queue-1/ring-ref0")?;
        f.vbd.unset("queue-1/ring-ref1")?;
        f.vbd.set("queue-1/ring-ref", gref)
    }),
    Case::accepted("queues/order-of-a-queue-means-nothing", |f| {
        f.vbd.set("queue-1/ring-page-order", "0")
    }),
    Case::accepted("queues/nodes-of-more-queues-mean-nothing", |f| {
        f.vbd.set("queue-2/event-channel", "none")
    }),
];

pub fn scenarios() -> Vec<Scenario> {
    let cases = CASES.iter().map(|case| {
        Scenario::once(case.name, move |bed| {
            publish_spoilt(bed, case, of_queues(2, 1))
        })
    });
    [
        Scenario::both("queues/one-named-as-such", one),
        Scenario::both("queues/two", |bed| write_and_verify(bed, of_queues(2, 0))),
        Scenario::both("queues/two-of-four-pages", |bed| {
            write_and_verify(bed, of_queues(2, 2))
        }),
        Scenario::both("queues/as-many-as-offered", as_many_as_offered),
        Scenario::both("queues/each-sees-what-others-wrote", each_sees_all),
        Scenario::once("queues/one-stopped-by-nonsense", one_stopped),
        Scenario::once("queues/more-and-fewer", more_and_fewer),
    ]
    .into_iter()
    .chain(cases)
    .collect()
}

fn of_queues(queues: u32, order: u32) -> Features {
    Features {
        queues,
        order,
        ..Features::default()
    }
}

/// More than fits into the rings.
fn load(features: Features) -> Load {
    let room = features.requests();
    Load {
        seed: 32,
        start: 16,
        requests: 2 * room + 5,
        depth: room.min(256),
        segments: 2,
        ragged: true,
    }
}

fn write_and_verify(bed: &Bed, features: Features) -> Result<()> {
    bed.move_data(bed.attach_with(features)?, &load(features))
}

/// One queue that is called a queue has the nodes of a disk without queues.
fn one(bed: &Bed) -> Result<()> {
    let frontend = bed.waiting()?;
    frontend.publish()?;
    frontend.vbd.set("multi-queue-num-queues", "1")?;
    frontend.vbd.set_state(state::INITIALISED)?;
    frontend.vbd.wait_backend(&[state::CONNECTED])?;
    bed.move_data(frontend, &load(bed.features))
}

fn as_many_as_offered(bed: &Bed) -> Result<()> {
    let frontend = bed.waiting()?;
    let offered = frontend.offered(offers::QUEUES, 2)?;
    frontend.detach()?;
    write_and_verify(bed, of_queues(u32::try_from(offered)?, 0))
}

/// A page written through each queue and read through every other.
fn each_sees_all(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(of_queues(2, 0))?;
    for (writer, reader) in [(0, 1), (1, 0)] {
        frontend.pages[0].fill(0x40 + writer as u8);
        let write = frontend.request(op::WRITE, 8, 1);
        frontend.queues[writer].expect("the write", &write, 0)?;
        frontend.pages[0].fill(0);
        let read = frontend.request(op::READ, 8, 1);
        frontend.queues[reader].expect("the read", &read, 0)?;
        ensure!(
            frontend.pages[0].holds_only(0x40 + writer as u8),
            "queue {reader} does not read what queue {writer} wrote"
        );
    }
    frontend.detach()
}

/// A queue whose index is nonsense stops; the disk still closes, and what the other queue answers is right.
fn one_stopped(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(of_queues(2, 0))?;
    frontend.expect_serving()?;
    let stopped = &frontend.queues[1];
    stopped.ring.show_req_prod(0x8000_0000);
    stopped.channel.notify();
    sleep(QUIET);
    ensure!(!stopped.ring.arm(), "a request that never was is answered");
    let read = frontend.request(op::READ, 0, 1);
    let id = read.id;
    frontend.queues[0].post(&read);
    frontend.queues[0].push();
    // A backend may give up the whole disk.
    if let Some(answer) = frontend.queues[0].answers_within(1, QUIET)?.first() {
        ensure!(answer.id == id && answer.status == 0, "a wrong answer");
    }
    frontend.detach()?;
    bed.expect_attachable()
}

/// One disk, and drivers one after another that ask for different numbers of queues.
fn more_and_fewer(bed: &Bed) -> Result<()> {
    let mut frontend = bed.attach_with(of_queues(2, 0))?;
    for (queues, order) in [(1, 0), (2, 1), (1, 2), (2, 0)] {
        let features = of_queues(queues, order);
        frontend
            .reconnect(features)
            .and_then(|()| load(features).run(&mut frontend, Direction::Write))
            .and_then(|_| load(features).run(&mut frontend, Direction::Verify))
            .with_context(|| format!("{queues} queues of order {order}"))?;
    }
    frontend.detach()
}
