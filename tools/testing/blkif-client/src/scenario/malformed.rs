// SPDX-License-Identifier: GPL-2.0

//! Requests that are wrong in one way each (R2, R5), and a few that only look so.
//!
//! Rings full of each are sent: every one must be answered, with the right status, and the disk must still serve.

mod discard;
mod indirect;

use anyhow::{ensure, Result};

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
const DIRECT: &[Row] = &[
    ("operation-4", spoilt!(op::RESERVED, 1), NO_SUCH),
    ("operation-7", spoilt!(7, 1), NO_SUCH),
    ("operation-77", spoilt!(77, 1), NO_SUCH),
    ("operation-255", spoilt!(255, 1), NO_SUCH),
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
    ("read-at-the-end", spoilt!(op::READ, 1, |r, m| r.sector = m.sectors), ERROR),
    ("read-across-the-end", spoilt!(op::READ, 1, |r, m| r.sector = m.sectors - 7), ERROR),
    ("write-across-the-end", spoilt!(op::WRITE, 11, |r, m| r.sector = m.sectors - 87), ERROR),
    ("barrier-across-the-end", spoilt!(op::BARRIER, 1, |r, m| r.sector = m.sectors - 1), ERROR),
    ("sector-wraps", spoilt!(op::READ, 1, |r, m| r.sector = u64::MAX - 2), ERROR),
    ("sector-wraps-to-0", spoilt!(op::WRITE, 1, |r, m| r.sector = u64::MAX - 7), ERROR),
    ("sector-in-bytes-wraps", spoilt!(op::WRITE, 1, |r, m| r.sector = 1 << 55), ERROR),
    ("no-such-grant-read", spoilt!(op::READ, 1, |r, m| r.segments[0].gref = NO_GRANT), ERROR),
    ("no-such-grant-write", spoilt!(op::WRITE, 1, |r, m| r.segments[0].gref = NO_GRANT), ERROR),
    ("no-such-grant-flush", spoilt!(op::FLUSH, 1, |r, m| r.segments[0].gref = NO_GRANT), ERROR),
    ("one-bad-grant-of-11", spoilt!(op::READ, 11, |r, m| r.segments[5].gref = NO_GRANT), ERROR),
    ("bad-grant-last-of-11", spoilt!(op::WRITE, 11, |r, m| r.segments[10].gref = NO_GRANT), ERROR),
    ("read-into-a-read-only-grant", spoilt!(op::READ, 1, |r, m| r.segments[0].gref = m.read_only.gref()), ERROR),
];

pub fn scenarios() -> Vec<Scenario> {
    let direct = DIRECT.iter().map(|row| (row, 10));
    let later = discard::ROWS
        .iter()
        .chain(indirect::ROWS)
        .map(|row| (row, 2));
    direct
        .chain(later)
        .map(|((name, make, wanted), rings)| {
            Scenario::both(format!("malformed/{name}"), move |bed| {
                rings_full(bed, *make, wanted, rings)
            })
        })
        .collect()
}

fn rings_full(bed: &Bed, make: Make, wanted: &Wanted, rings: u64) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend.expect_serving()?;
    let wanted = match wanted {
        Status(status) => *status,
        Feature(node) if frontend.vbd.backend_number(node)? > 0 => status::OKAY,
        ErrorIfFeature(node) if frontend.vbd.backend_number(node)? > 0 => status::ERROR,
        Feature(_) | ErrorIfFeature(_) => status::EOPNOTSUPP,
    };
    let mut material = Material::new(frontend)?;
    let rings = bed.differs(
        2,
        rings,
        "xen-blkback sleeps after each wrong request, which makes ten rings a test of patience",
    );
    for ring in 0..rings {
        let first = 0x4000_0000_0000_0000 + ring * u64::from(RING_SIZE);
        for id in first..first + u64::from(RING_SIZE) {
            let entry = make(&mut material, id);
            material.frontend.ring.post(&entry);
        }
        material.frontend.push();
        let answers = material.frontend.answers(RING_SIZE as usize)?;
        for answer in &answers {
            ensure!(
                answer.status == wanted,
                "answered {}, not {wanted} (ring {ring})",
                answer.status
            );
        }
        let mut ids: Vec<u64> = answers.iter().map(|answer| answer.id).collect();
        ids.sort_unstable();
        ensure!(
            ids.iter().copied().eq(first..first + u64::from(RING_SIZE)),
            "the ids that came back are not those that were sent"
        );
    }
    material.frontend.expect_serving()?;
    material.frontend.detach()
}
