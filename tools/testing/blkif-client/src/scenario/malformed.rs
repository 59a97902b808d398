// SPDX-License-Identifier: GPL-2.0

//! Requests that are wrong in one way each (R2, R5).
//!
//! Ten rings full of each are sent: every one must be answered, with the right status, and the disk must still serve.

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::frontend::Frontend;
use crate::gntalloc::{Access, Page};
use crate::request::{Discard, Indirect, Request, Segment};
use crate::wire::{op, status, MAX_SEGMENTS, RING_SIZE};

/// A grant reference that no domain has.
const NO_GRANT: u32 = 0xffff_fff0;

/// What to send: made from a connected frontend, given an id.
type Make = fn(&mut Material, u64) -> Vec<u8>;

/// What wrong requests are made of.
struct Material {
    frontend: Frontend,
    read_only: Page,
    sectors: u64,
}

impl Material {
    /// A correct request over `pages` pages, to be spoilt.
    fn good(&self, operation: u8, pages: usize) -> Request {
        Request::new(operation, 0, &self.frontend.segments(pages))
    }

    fn encode(&self, request: Request, id: u64) -> Vec<u8> {
        request.with_id(id).encode(self.frontend.ring.layout())
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

const ERROR: Wanted = Status(status::ERROR);
const NO_SUCH: Wanted = Status(status::EOPNOTSUPP);
const INDIRECT: &str = "feature-max-indirect-segments";

macro_rules! spoilt {
    ($operation:expr, $pages:expr, |$request:ident, $material:ident| $change:expr) => {
        |$material: &mut Material, id: u64| {
            let mut $request = $material.good($operation, $pages);
            $change;
            $material.encode($request, id)
        }
    };
    ($operation:expr, $pages:expr) => {
        |material: &mut Material, id: u64| {
            let request = material.good($operation, $pages);
            material.encode(request, id)
        }
    };
}

#[rustfmt::skip]
const TABLE: &[(&str, Make, Wanted)] = &[
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
    ("discard", discard, Feature("feature-discard")),
    ("discard-across-the-end", discard_across_the_end, ErrorIfFeature("feature-discard")),
    ("discard-wraps", discard_wraps, ErrorIfFeature("feature-discard")),
    ("indirect", indirect, Feature(INDIRECT)),
    ("indirect-of-0-segments", indirect_of_0, ErrorIfFeature(INDIRECT)),
    ("indirect-of-65535-segments", indirect_of_65535, ErrorIfFeature(INDIRECT)),
    ("indirect-of-257-segments", indirect_of_257, ErrorIfFeature(INDIRECT)),
    ("indirect-flush", indirect_flush, ErrorIfFeature(INDIRECT)),
    ("indirect-in-indirect", indirect_in_indirect, ErrorIfFeature(INDIRECT)),
    ("indirect-bad-list", indirect_bad_list, ErrorIfFeature(INDIRECT)),
];

pub fn scenarios() -> Vec<Scenario> {
    TABLE
        .iter()
        .map(|(name, make, wanted)| {
            Scenario::each(format!("malformed/{name}"), move |bed| {
                rings_full(bed, *make, wanted)
            })
        })
        .collect()
}

fn rings_full(bed: &Bed, make: Make, wanted: &Wanted) -> Result<()> {
    let mut frontend = bed.attach()?;
    frontend.expect_serving()?;
    let wanted = match wanted {
        Status(status) => *status,
        Feature(node) if frontend.vbd.backend_number(node)? > 0 => status::OKAY,
        ErrorIfFeature(node) if frontend.vbd.backend_number(node)? > 0 => status::ERROR,
        Feature(_) | ErrorIfFeature(_) => status::EOPNOTSUPP,
    };
    let mut material = Material {
        read_only: frontend.grant(Access::ReadOnly)?,
        sectors: frontend.sectors()?,
        frontend,
    };
    let rings = bed.differs(
        2,
        10,
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

fn discard_of(material: &Material, id: u64, sector: u64, count: u64) -> Vec<u8> {
    let discard = Discard {
        id,
        flag: 0,
        sector,
        count,
    };
    discard.encode(material.frontend.ring.layout())
}

fn discard(material: &mut Material, id: u64) -> Vec<u8> {
    discard_of(material, id, 1024, 1024)
}

fn discard_across_the_end(material: &mut Material, id: u64) -> Vec<u8> {
    discard_of(material, id, material.sectors - 8, 16)
}

fn discard_wraps(material: &mut Material, id: u64) -> Vec<u8> {
    discard_of(material, id, u64::MAX - 7, 16)
}

/// An indirect request whose list is the last data page and whose segments are the others.
fn indirect_of(
    material: &Material,
    id: u64,
    operation: u8,
    nr_segments: u16,
    list: Option<u32>,
) -> Vec<u8> {
    let pages = &material.frontend.pages;
    let page = &pages[MAX_SEGMENTS - 1];
    for (number, data) in pages.iter().take(MAX_SEGMENTS - 1).enumerate() {
        let Segment { gref, first, last } = Segment::page(data.gref());
        page.write(8 * number, &gref.to_le_bytes());
        page.write(8 * number + 4, &[first, last, 0, 0]);
    }
    let request = Indirect {
        id,
        operation,
        nr_segments,
        sector: 0,
        pages: [list.unwrap_or(page.gref()); 8],
    };
    request.encode(material.frontend.ring.layout())
}

fn indirect(material: &mut Material, id: u64) -> Vec<u8> {
    indirect_of(material, id, op::READ, 8, None)
}

fn indirect_of_0(material: &mut Material, id: u64) -> Vec<u8> {
    indirect_of(material, id, op::READ, 0, None)
}

fn indirect_of_65535(material: &mut Material, id: u64) -> Vec<u8> {
    indirect_of(material, id, op::READ, u16::MAX, None)
}

/// 257 is 1 when cut to eight bits.
fn indirect_of_257(material: &mut Material, id: u64) -> Vec<u8> {
    indirect_of(material, id, op::READ, 257, None)
}

fn indirect_flush(material: &mut Material, id: u64) -> Vec<u8> {
    indirect_of(material, id, op::FLUSH, 0, None)
}

fn indirect_in_indirect(material: &mut Material, id: u64) -> Vec<u8> {
    indirect_of(material, id, op::INDIRECT, 1, None)
}

fn indirect_bad_list(material: &mut Material, id: u64) -> Vec<u8> {
    indirect_of(material, id, op::READ, 8, Some(NO_GRANT))
}
