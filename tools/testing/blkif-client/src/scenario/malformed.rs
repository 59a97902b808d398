// SPDX-License-Identifier: GPL-2.0

//! Requests that are wrong in one way each (R2, R5), and a few that only look so.
//!
//! Rings full of each are sent, one kind after the other on the same disk: every one must be answered, with the right
//! status, and the disk must still serve.

mod discard;
mod indirect;

use anyhow::{ensure, Context, Result};

use super::{Bed, Scenario};
use crate::frontend::Frontend;
use crate::gntalloc::{Access, Pages};
use crate::request::{Entry, Request};
use crate::wire::{offers, op, status, RING_SIZE, SEGMENTS_PER_LIST};

/// A grant reference that no domain has.
const NO_GRANT: u32 = 0xffff_fff0;

/// What to send: made from a connected frontend, given an id.
type Make = fn(&mut Material, u64) -> Vec<u8>;

/// What wrong requests are made of.
struct Material {
    frontend: Frontend,
    read_only: Pages,
    sectors: u64,
    /// Segments that an indirect request may have, or a list's where there is no such request.
    most_segments: usize,
    /// Room for the segments of one that has too many.
    list: Pages,
    /// What their segments are, so many that none is mapped more often at once than Xen can count.
    data: Vec<Pages>,
    next_id: u64,
}

impl Material {
    fn new(frontend: Frontend) -> Result<Self> {
        let most_segments = match frontend.vbd.backend_number(offers::INDIRECT)? {
            0 => SEGMENTS_PER_LIST,
            offered => usize::try_from(offered)?,
        };
        let lists = (most_segments + 1).div_ceil(SEGMENTS_PER_LIST);
        Ok(Self {
            read_only: frontend.grant(Access::ReadOnly)?,
            sectors: frontend.sectors()?,
            most_segments,
            list: frontend.grant_many(lists, Access::ReadWrite)?,
            data: (0..=(most_segments * RING_SIZE as usize / 100))
                .map(|_| frontend.grant(Access::ReadWrite))
                .collect::<Result<_>>()?,
            next_id: 0x4000_0000_0000_0000,
            frontend,
        })
    }

    /// A correct request over `pages` pages, to be spoilt.
    fn good(&self, operation: u8, pages: usize) -> Request {
        Request::new(operation, 0, &self.frontend.segments(pages))
    }

    fn encode(&self, request: &impl Entry) -> Vec<u8> {
        request.encode(self.frontend.ring.layout())
    }

    /// Sends a ring full of what `make` makes, and fails unless each is answered with `wanted`.
    fn ring_full(&mut self, make: Make, wanted: i16) -> Result<()> {
        let ids = self.next_id..self.next_id + u64::from(RING_SIZE);
        self.next_id = ids.end;
        for id in ids.clone() {
            let entry = make(self, id);
            self.frontend.ring.post(&entry);
        }
        self.frontend.push();
        let answers = self.frontend.answers(RING_SIZE as usize)?;
        for answer in &answers {
            ensure!(
                answer.status == wanted,
                "answered {}, not {wanted}",
                answer.status
            );
        }
        let mut answered: Vec<u64> = answers.iter().map(|answer| answer.id).collect();
        answered.sort_unstable();
        ensure!(
            answered.into_iter().eq(ids),
            "the ids that came back are not those that were sent"
        );
        Ok(())
    }
}

/// The answer a request must get.
enum Wanted {
    Status(i16),
    /// Success where the backend offers the feature, else "no such operation".
    Feature(&'static str),
    /// An error where the backend offers the feature, else "no such operation".
    ErrorIfFeature(&'static str),
}

use Wanted::{ErrorIfFeature, Feature, Status};

impl Wanted {
    /// The status that the backend of this frontend must answer with.
    fn status(&self, frontend: &Frontend) -> Result<i16> {
        Ok(match self {
            Status(status) => *status,
            Feature(node) if frontend.vbd.backend_number(node)? > 0 => status::OKAY,
            ErrorIfFeature(node) if frontend.vbd.backend_number(node)? > 0 => status::ERROR,
            Feature(_) | ErrorIfFeature(_) => status::EOPNOTSUPP,
        })
    }
}

/// A row of a table: what is wrong, how to make it, what it is answered.
type Row = (&'static str, Make, Wanted);

const ERROR: Wanted = Status(status::ERROR);
const NO_SUCH: Wanted = Status(status::EOPNOTSUPP);

macro_rules! spoilt {
    ($operation:expr, $pages:expr, |$request:ident, $material:ident| $change:expr) => {
        |$material: &mut Material, id: u64| {
            let mut $request = $material.good($operation, $pages);
            $change;
            $material.encode(&$request.with_id(id))
        }
    };
    ($operation:expr, $pages:expr) => {
        |material: &mut Material, id: u64| {
            let request = material.good($operation, $pages);
            material.encode(&request.with_id(id))
        }
    };
}

#[rustfmt::skip]
const OPERATIONS: &[Row] = &[
    ("operation-4", spoilt!(op::RESERVED, 1), NO_SUCH),
    ("operation-7", spoilt!(7, 1), NO_SUCH),
    ("operation-77", spoilt!(77, 1), NO_SUCH),
    ("operation-255", spoilt!(255, 1), NO_SUCH),
];

#[rustfmt::skip]
const SEGMENTS: &[Row] = &[
    ("read-of-0-segments", spoilt!(op::READ, 0), ERROR),
    ("write-of-0-segments", spoilt!(op::WRITE, 0), ERROR),
    ("12-segments", spoilt!(op::READ, 11, |r, m| r.nr_segments = 12), ERROR),
    ("255-segments", spoilt!(op::WRITE, 11, |r, m| r.nr_segments = 255), ERROR),
    ("flush-of-12-segments", spoilt!(op::FLUSH, 11, |r, m| r.nr_segments = 12), ERROR),
    ("barrier-of-255-segments", spoilt!(op::BARRIER, 11, |r, m| r.nr_segments = 255), ERROR),
    ("last-before-first", spoilt!(op::READ, 1, |r, m| r.segments[0].last = { r.segments[0].first = 4; 3 }), ERROR),
    ("last-0-first-255", spoilt!(op::WRITE, 1, |r, m| r.segments[0].first = { r.segments[0].last = 0; 255 }), ERROR),
    ("last-8", spoilt!(op::READ, 1, |r, m| r.segments[0].last = 8), ERROR),
    ("last-255", spoilt!(op::WRITE, 1, |r, m| r.segments[0].last = 255), ERROR),
    ("first-8-last-8", spoilt!(op::READ, 1, |r, m| { r.segments[0].first = 8; r.segments[0].last = 8 }), ERROR),
    ("flush-with-last-8", spoilt!(op::FLUSH, 1, |r, m| r.segments[0].last = 8), ERROR),
    ("only-the-last-segment-wrong", spoilt!(op::READ, 11, |r, m| r.segments[10].last = 9), ERROR),
];

#[rustfmt::skip]
const SECTORS: &[Row] = &[
    ("read-at-the-end", spoilt!(op::READ, 1, |r, m| r.sector = m.sectors), ERROR),
    ("read-across-the-end", spoilt!(op::READ, 1, |r, m| r.sector = m.sectors - 7), ERROR),
    ("write-across-the-end", spoilt!(op::WRITE, 11, |r, m| r.sector = m.sectors - 87), ERROR),
    ("barrier-across-the-end", spoilt!(op::BARRIER, 1, |r, m| r.sector = m.sectors - 1), ERROR),
    ("sector-wraps", spoilt!(op::READ, 1, |r, m| r.sector = u64::MAX - 2), ERROR),
    ("sector-wraps-to-0", spoilt!(op::WRITE, 1, |r, m| r.sector = u64::MAX - 7), ERROR),
    ("sector-in-bytes-wraps", spoilt!(op::WRITE, 1, |r, m| r.sector = 1 << 55), ERROR),
];

#[rustfmt::skip]
const GRANTS: &[Row] = &[
    ("no-such-grant-read", spoilt!(op::READ, 1, |r, m| r.segments[0].gref = NO_GRANT), ERROR),
    ("no-such-grant-write", spoilt!(op::WRITE, 1, |r, m| r.segments[0].gref = NO_GRANT), ERROR),
    ("no-such-grant-flush", spoilt!(op::FLUSH, 1, |r, m| r.segments[0].gref = NO_GRANT), ERROR),
    ("one-bad-grant-of-11", spoilt!(op::READ, 11, |r, m| r.segments[5].gref = NO_GRANT), ERROR),
    ("bad-grant-last-of-11", spoilt!(op::WRITE, 11, |r, m| r.segments[10].gref = NO_GRANT), ERROR),
    ("read-into-a-read-only-grant", spoilt!(op::READ, 1, |r, m| r.segments[0].gref = m.read_only.gref()), ERROR),
];

pub fn scenarios() -> Vec<Scenario> {
    [
        ("operations", OPERATIONS, 10),
        ("segments", SEGMENTS, 10),
        ("sectors", SECTORS, 10),
        ("grants", GRANTS, 10),
        ("discards", discard::ROWS, 2),
        ("indirect", indirect::ROWS, 2),
    ]
    .map(|(name, rows, rings)| {
        Scenario::both(format!("malformed/{name}"), move |bed| {
            rings_full(bed, rows, rings)
        })
    })
    .into()
}

fn rings_full(bed: &Bed, rows: &[Row], rings: usize) -> Result<()> {
    let rings = bed.differs(
        2,
        rings,
        "xen-blkback sleeps after each wrong request, which makes ten rings a test of patience",
    );
    let mut frontend = bed.attach()?;
    frontend.expect_serving()?;
    let mut material = Material::new(frontend)?;
    for (name, make, wanted) in rows {
        let wanted = wanted.status(&material.frontend)?;
        (0..rings)
            .try_for_each(|_| material.ring_full(*make, wanted))
            .and_then(|()| material.frontend.expect_serving())
            .context(*name)?;
    }
    material.frontend.detach()
}
