// SPDX-License-Identifier: GPL-2.0

//! Requests over a frontend's own pages.

use anyhow::Result;

use super::Frontend;
use crate::gntalloc::{Access, Pages};
use crate::request::{write_list, Indirect, Request, Segment};
use crate::wire::SEGMENTS_PER_LIST;

impl Frontend {
    /// Whole-page segments of the first `count` data pages.
    pub fn segments(&self, count: usize) -> Vec<Segment> {
        self.pages
            .iter()
            .take(count)
            .map(|page| Segment::page(page.gref()))
            .collect()
    }

    /// A request over the first `pages` data pages with an id of its own.
    pub fn request(&mut self, operation: u8, sector: u64, pages: usize) -> Request {
        let request = Request::new(operation, sector, &self.segments(pages));
        request.with_id(self.fresh_id())
    }

    /// Grants the pages of a list and writes `segments` into them.
    pub fn list(&self, segments: &[Segment]) -> Result<Pages> {
        let count = segments.len().div_ceil(SEGMENTS_PER_LIST).max(1);
        let list = self.grants.pages(count, Access::ReadWrite)?;
        write_list(&list, segments);
        Ok(list)
    }

    /// An indirect request with an id of its own.
    pub fn indirect(
        &mut self,
        operation: u8,
        sector: u64,
        segments: u16,
        list: &Pages,
    ) -> Indirect {
        Indirect::new(operation, sector, segments, list).with_id(self.fresh_id())
    }

    /// An id not used before.
    pub fn fresh_id(&mut self) -> u64 {
        self.next_id = self.next_id.wrapping_add(0x0001_0000_0001);
        self.next_id
    }
}
