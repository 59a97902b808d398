// SPDX-License-Identifier: GPL-2.0

//! Indirect requests: those that are just right, and wrong ones.

use super::{ErrorIfFeature, Feature, Material, Row, NO_GRANT};
use crate::request::{write_list, Indirect, Segment};
use crate::wire::offers::INDIRECT;
use crate::wire::{op, MAX_LISTS, SEGMENTS_PER_LIST};

const GOOD: super::Wanted = Feature(INDIRECT);
const WRONG: super::Wanted = ErrorIfFeature(INDIRECT);

impl Material {
    /// One segment more than there may be, each a page; the data pages come again and again.
    fn all_segments(&self) -> Vec<Segment> {
        let pages = self.data.iter().cycle().take(self.most_segments + 1);
        pages.map(|page| Segment::page(page.gref())).collect()
    }

    fn most(&self) -> u16 {
        u16::try_from(self.most_segments).unwrap_or(u16::MAX)
    }
}

/// A request and its list, to be spoilt.
struct Draft<'a> {
    material: &'a Material,
    request: Indirect,
    list: Vec<Segment>,
}

impl Draft<'_> {
    /// Makes the request as long as may be.
    fn longest(&mut self) -> &mut Self {
        self.request.nr_segments = self.material.most();
        self
    }

    /// A segment, counted from the end of the request.
    fn counted_back(&mut self, number: usize) -> &mut Segment {
        let count = usize::from(self.request.nr_segments);
        &mut self.list[count - 1 - number]
    }
}

macro_rules! spoilt {
    ($operation:expr, $count:expr, |$draft:ident| $change:expr) => {
        |material: &mut Material, id: u64| {
            let request = Indirect::new($operation, 0, $count, &material.list).with_id(id);
            let mut draft = Draft {
                material,
                request,
                list: material.all_segments(),
            };
            let $draft = &mut draft;
            let _ = $change;
            write_list(&material.list, &draft.list);
            material.encode(&draft.request)
        }
    };
}

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    ("indirect", spoilt!(op::READ, 8, |_d| ()), GOOD),
    ("indirect-of-1-segment", spoilt!(op::WRITE, 1, |_d| ()), GOOD),
    ("indirect-of-most-segments", spoilt!(op::READ, 1, |d| d.longest()), GOOD),
    ("indirect-of-one-segment-too-many", spoilt!(op::READ, 1, |d| d.longest().request.nr_segments += 1), WRONG),
    ("indirect-of-0-segments", spoilt!(op::READ, 0, |_d| ()), WRONG),
    ("indirect-write-of-0-segments", spoilt!(op::WRITE, 0, |_d| ()), WRONG),
    ("indirect-of-65535-segments", spoilt!(op::READ, u16::MAX, |_d| ()), WRONG),
    ("indirect-of-32768-segments", spoilt!(op::WRITE, 0x8000, |_d| ()), WRONG),
    ("indirect-barrier", spoilt!(op::BARRIER, 1, |_d| ()), WRONG),
    ("indirect-flush", spoilt!(op::FLUSH, 0, |_d| ()), WRONG),
    ("indirect-flush-with-data", spoilt!(op::FLUSH, 1, |_d| ()), WRONG),
    ("indirect-discard", spoilt!(op::DISCARD, 1, |_d| ()), WRONG),
    ("indirect-in-indirect", spoilt!(op::INDIRECT, 1, |_d| ()), WRONG),
    ("indirect-operation-4", spoilt!(op::RESERVED, 1, |_d| ()), WRONG),
    ("indirect-operation-255", spoilt!(255, 1, |_d| ()), WRONG),
    ("indirect-bad-list", spoilt!(op::READ, 8, |d| d.request.pages[0] = NO_GRANT), WRONG),
    ("indirect-bad-last-list", spoilt!(op::READ, 1, |d| {
        let last = (d.material.most_segments - 1) / SEGMENTS_PER_LIST;
        d.longest().request.pages[last] = NO_GRANT;
    }), WRONG),
    ("indirect-unused-lists-are-not-looked-at", spoilt!(op::READ, 8, |d| d.request.pages[1..].fill(NO_GRANT)), GOOD),
    ("indirect-unused-segments-are-not-looked-at", spoilt!(op::READ, 3, |d| {
        d.list[3..].fill(Segment { gref: NO_GRANT, first: 255, last: 0 });
    }), GOOD),
    ("indirect-list-eight-times-the-same", spoilt!(op::READ, 1, |d| {
        d.request.pages = [d.request.pages[0]; MAX_LISTS];
    }), GOOD),
    ("indirect-first-segment-last-8", spoilt!(op::READ, 24, |d| d.list[0].last = 8), WRONG),
    ("indirect-segment-10-last-255", spoilt!(op::WRITE, 24, |d| d.list[10].last = 255), WRONG),
    ("indirect-segment-11-last-before-first", spoilt!(op::READ, 24, |d| { d.list[11].first = 4; d.list[11].last = 3 }), WRONG),
    ("indirect-last-segment-first-255", spoilt!(op::WRITE, 24, |d| d.counted_back(0).first = 255), WRONG),
    ("indirect-very-last-segment-last-8", spoilt!(op::READ, 1, |d| d.longest().counted_back(0).last = 8), WRONG),
    ("indirect-last-but-one-segment-first-8", spoilt!(op::READ, 1, |d| d.longest().counted_back(1).first = 8), WRONG),
    ("indirect-segments-around-the-end-of-a-list-wrong", spoilt!(op::READ, 1, |d| {
        let at = SEGMENTS_PER_LIST.min(d.material.most_segments - 1);
        d.longest().list[at - 1..=at].fill(Segment { gref: 0, first: 7, last: 6 });
    }), WRONG),
    ("indirect-no-such-grant-first", spoilt!(op::READ, 24, |d| d.list[0].gref = NO_GRANT), WRONG),
    ("indirect-no-such-grant-in-the-middle", spoilt!(op::WRITE, 24, |d| d.list[12].gref = NO_GRANT), WRONG),
    ("indirect-no-such-grant-very-last", spoilt!(op::READ, 1, |d| d.longest().counted_back(0).gref = NO_GRANT), WRONG),
    ("indirect-no-such-grant-anywhere", spoilt!(op::WRITE, 1, |d| for segment in &mut d.longest().list { segment.gref = NO_GRANT }), WRONG),
    ("indirect-read-into-a-read-only-grant", spoilt!(op::READ, 24, |d| d.list[23].gref = d.material.read_only.gref()), WRONG),
    ("indirect-across-the-end", spoilt!(op::READ, 24, |d| d.request.sector = d.material.sectors - 24 * 8 + 1), WRONG),
    ("indirect-up-to-the-end", spoilt!(op::READ, 24, |d| d.request.sector = d.material.sectors - 24 * 8), GOOD),
    ("indirect-sector-wraps", spoilt!(op::WRITE, 24, |d| d.request.sector = u64::MAX - 100), WRONG),
    ("indirect-sector-in-bytes-wraps", spoilt!(op::READ, 24, |d| d.request.sector = 1 << 55), WRONG),
];
