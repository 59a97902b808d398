// SPDX-License-Identifier: GPL-2.0

//! Many requests in flight: write a pattern over a range of the disk, or read it back and compare.

mod transfer;

use std::collections::HashMap;

use anyhow::{bail, ensure, Context, Result};

use self::transfer::Transfer;
use crate::frontend::Frontend;
use crate::gntalloc::{Access, GrantDevice, Pages};
use crate::pattern::{self, SECTOR_SIZE};
use crate::random::Random;
use crate::request::{write_list, Indirect, Request, Segment};
use crate::wire::{offers, op, MAX_SEGMENTS};

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
    /// How many in flight at once, up to what the rings hold.
    pub depth: u32,
    /// The most segments of a request.
    pub segments: usize,
    /// Whether segments begin and end at any sector of their page, and requests have any number of segments.
    pub ragged: bool,
}

impl Load {
    /// Runs the load; all requests must succeed. Returns how many sectors were moved.
    pub fn run(&self, frontend: &mut Frontend, direction: Direction) -> Result<u64> {
        let room = frontend.features.requests();
        let segments = if frontend.features.indirect {
            usize::try_from(frontend.offered(offers::INDIRECT, 1)?)?
        } else {
            MAX_SEGMENTS
        };
        ensure!(
            (1..=segments).contains(&self.segments) && (1..=room).contains(&self.depth),
            "depth is 1 to {room}, segments 1 to {segments}"
        );
        let slots = self.depth as usize;
        // Beside rings, lists, and what earlier loads left to the backend.
        GrantDevice::allow(u32::try_from(slots * self.segments)? + 1024)?;
        let pages = (0..slots * self.segments)
            .map(|_| frontend.grant(Access::ReadWrite))
            .collect::<Result<Vec<_>>>()?;
        let lists = (0..slots)
            .filter(|_| frontend.features.indirect)
            .map(|_| frontend.list(&vec![Segment::default(); self.segments]))
            .collect::<Result<Vec<_>>>()?;
        let mut run = Run {
            load: self,
            direction,
            pages,
            lists,
            free: (0..slots).collect(),
            under_way: HashMap::new(),
            shapes: Random::new(self.seed),
            sector: self.start,
        };
        for _ in 0..self.requests {
            if run.free.is_empty() {
                frontend.push_all();
                run.collect(frontend)?;
            }
            run.post(frontend)?;
        }
        frontend.push_all();
        while !run.under_way.is_empty() {
            run.collect(frontend)?;
        }
        Ok(run.sector - self.start)
    }
}

struct Run<'a> {
    load: &'a Load,
    direction: Direction,
    pages: Vec<Pages>,
    /// One for each slot where segments are listed in pages of their own.
    lists: Vec<Pages>,
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

    fn page(&self, slot: usize, segment: usize) -> &Pages {
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
        let id = self.enqueue(frontend, operation, &transfer, &segments)?;
        self.under_way.insert(id, transfer);
        Ok(())
    }

    /// Puts a request into the queue with the most room, and returns its id.
    fn enqueue(
        &self,
        frontend: &mut Frontend,
        operation: u8,
        transfer: &Transfer,
        segments: &[Segment],
    ) -> Result<u64> {
        let id = frontend.fresh_id();
        let queue = frontend
            .queues
            .iter_mut()
            .max_by_key(|queue| queue.ring.free());
        let queue = queue.context("a frontend without queues")?;
        match self.lists.get(transfer.slot) {
            Some(list) => {
                write_list(list, segments);
                let count = u16::try_from(segments.len())?;
                let request = Indirect::new(operation, transfer.sector, count, list);
                queue.post(&request.with_id(id));
            }
            None => queue.post(&Request::new(operation, transfer.sector, segments).with_id(id)),
        }
        Ok(id)
    }

    fn collect(&mut self, frontend: &mut Frontend) -> Result<()> {
        let answer = frontend.any_answer()?;
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
        mut act: impl FnMut(&Pages, usize, u64) -> Result<()>,
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
