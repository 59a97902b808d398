// SPDX-License-Identifier: GPL-2.0

//! Many requests in flight: write a pattern over a range of the disk, or read it back and compare.

use std::collections::HashMap;

use anyhow::{bail, ensure, Result};

use crate::frontend::Frontend;
use crate::gntalloc::{Access, Page};
use crate::pattern::{self, SECTOR_SIZE};
use crate::random::Random;
use crate::request::{Request, Segment};
use crate::wire::{op, MAX_SEGMENTS, RING_SIZE};

/// What to do with a range of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Write the pattern.
    Write,
    /// Read and compare with the pattern.
    Verify,
}

/// A run of requests over consecutive sectors.
#[derive(Clone, Debug)]
pub struct Load {
    /// Decides the data, and the shapes of the requests.
    pub seed: u64,
    /// The first sector.
    pub start: u64,
    /// How many requests.
    pub requests: u32,
    /// How many in flight at once, up to the ring's size.
    pub depth: u32,
    /// The most segments of a request.
    pub segments: usize,
    /// Whether segments begin and end at any sector of their page, and requests have any number of segments.
    pub ragged: bool,
}

/// A request under way: its shape and the slot of data pages it uses.
struct Transfer {
    sector: u64,
    segments: Vec<(u8, u8)>,
    slot: usize,
}

impl Transfer {
    fn sectors(&self) -> u64 {
        self.segments
            .iter()
            .map(|(first, last)| u64::from(last - first) + 1)
            .sum()
    }
}

impl Load {
    /// Runs the load; all requests must succeed. Returns how many sectors were moved.
    pub fn run(&self, frontend: &mut Frontend, direction: Direction) -> Result<u64> {
        ensure!(
            (1..=MAX_SEGMENTS).contains(&self.segments) && (1..=RING_SIZE).contains(&self.depth),
            "depth is 1 to {RING_SIZE}, segments 1 to {MAX_SEGMENTS}"
        );
        let pages = (0..self.depth as usize * self.segments)
            .map(|_| frontend.grant(Access::ReadWrite))
            .collect::<Result<Vec<_>>>()?;
        let mut run = Run {
            load: self,
            direction,
            pages,
            free: (0..self.depth as usize).collect(),
            under_way: HashMap::new(),
            shapes: Random::new(self.seed),
            sector: self.start,
        };
        for _ in 0..self.requests {
            if run.free.is_empty() {
                frontend.push();
                run.collect(frontend)?;
            }
            run.post(frontend)?;
        }
        frontend.push();
        while !run.under_way.is_empty() {
            run.collect(frontend)?;
        }
        Ok(run.sector - self.start)
    }
}

struct Run<'a> {
    load: &'a Load,
    direction: Direction,
    pages: Vec<Page>,
    free: Vec<usize>,
    under_way: HashMap<u64, Transfer>,
    shapes: Random,
    sector: u64,
}

impl Run<'_> {
    /// Decides the shape of the next request; the same for writing and for verifying.
    fn shape(&mut self) -> Vec<(u8, u8)> {
        if !self.load.ragged {
            return vec![(0, 7); self.load.segments];
        }
        let count = 1 + self.shapes.below(self.load.segments as u64);
        (0..count)
            .map(|_| {
                let first = (self.shapes.below(8)) as u8;
                let last = first + self.shapes.below(8 - u64::from(first)) as u8;
                (first, last)
            })
            .collect()
    }

    fn page(&self, slot: usize, segment: usize) -> &Page {
        &self.pages[slot * self.load.segments + segment]
    }

    fn post(&mut self, frontend: &mut Frontend) -> Result<()> {
        let Some(slot) = self.free.pop() else {
            bail!("no data pages are free");
        };
        let transfer = Transfer {
            sector: self.sector,
            segments: self.shape(),
            slot,
        };
        self.sector += transfer.sectors();
        let operation = match self.direction {
            Direction::Write => {
                self.each_sector(&transfer, |page, offset, sector| {
                    page.write(offset, &pattern::sector(self.load.seed, sector));
                    Ok(())
                })?;
                op::WRITE
            }
            Direction::Verify => op::READ,
        };
        let segments: Vec<Segment> = transfer
            .segments
            .iter()
            .enumerate()
            .map(|(number, (first, last))| Segment {
                gref: self.page(slot, number).gref(),
                first: *first,
                last: *last,
            })
            .collect();
        let request =
            Request::new(operation, transfer.sector, &segments).with_id(frontend.fresh_id());
        frontend.post(&request);
        self.under_way.insert(request.id, transfer);
        Ok(())
    }

    fn collect(&mut self, frontend: &mut Frontend) -> Result<()> {
        let answer = frontend.answers(1)?.remove(0);
        let Some(transfer) = self.under_way.remove(&answer.id) else {
            bail!("an answer with id {:#x}, which is not under way", answer.id);
        };
        ensure!(
            answer.status == 0,
            "{:?} at sector {} was answered {}",
            self.direction,
            transfer.sector,
            answer.status
        );
        if self.direction == Direction::Verify {
            self.each_sector(&transfer, |page, offset, sector| {
                let mut bytes = [0; SECTOR_SIZE];
                page.read(offset, &mut bytes);
                // What is not overwritten next time shows up then.
                page.write(offset, &[0; SECTOR_SIZE]);
                pattern::check(self.load.seed, sector, &bytes)
            })?;
        }
        self.free.push(transfer.slot);
        Ok(())
    }

    fn each_sector(
        &self,
        transfer: &Transfer,
        mut act: impl FnMut(&Page, usize, u64) -> Result<()>,
    ) -> Result<()> {
        let mut sector = transfer.sector;
        for (number, (first, last)) in transfer.segments.iter().enumerate() {
            for part in *first..=*last {
                act(
                    self.page(transfer.slot, number),
                    usize::from(part) * SECTOR_SIZE,
                    sector,
                )?;
                sector += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_counts_both_ends_of_a_segment() {
        let transfer = Transfer {
            sector: 0,
            segments: vec![(0, 7), (3, 3), (6, 7)],
            slot: 0,
        };
        assert_eq!(transfer.sectors(), 8 + 1 + 2);
    }
}
