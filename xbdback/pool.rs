// SPDX-License-Identifier: GPL-2.0

//! What requests are made of, kept between them: room for the requests, with pages for their data.
//!
//! In steady state nothing is allocated: the room that was used last is used next, with the pages it has. What
//! was not needed for a while is given back. One direct request's worth of pages is never given up, so that
//! there is always one that can be done, however short of memory the system is.

use crate::job::{
    Job,
    Room, //
};
use kernel::{
    alloc::{
        flags::GFP_NOWAIT,
        Flags, //
    },
    page::Page,
    prelude::*,
    sync::Arc, //
};
use xenbus::blk::{
    Completions,
    Io, //
};
use xenbus_proto::blkif::MAX_SEGMENTS;

/// Pages that are never given up: those of the largest direct request.
const RESERVE: usize = MAX_SEGMENTS;

/// The stock of one ring. It has one owner, the ring's thread.
pub(crate) struct Pool {
    completions: Arc<Completions<Job>>,
    /// Room that is not in use, the one used last at the end.
    idle: KVec<KBox<Room>>,
    /// How many at the start of `idle` were not used since the last [`Pool::trim`].
    cold: usize,
    reserve: KVec<Page>,
}

impl Pool {
    /// A pool that can serve one direct request; at most `slots` are in use at a time.
    pub(crate) fn new(completions: Arc<Completions<Job>>, slots: usize) -> Result<Self> {
        let mut pool = Self {
            completions,
            idle: KVec::with_capacity(slots, GFP_KERNEL)?,
            cold: 0,
            reserve: KVec::with_capacity(RESERVE, GFP_KERNEL)?,
        };
        let first = pool.new_room(GFP_KERNEL)?;
        pool.idle.push(first, GFP_KERNEL)?;
        while pool.reserve.len() < RESERVE {
            let page = Page::alloc_page(GFP_KERNEL)?;
            pool.reserve.push(page, GFP_KERNEL)?;
        }
        Ok(pool)
    }

    fn new_room(&self, flags: Flags) -> Result<KBox<Room>> {
        let mut room = Io::new(
            self.completions.clone(),
            Job::new(flags)?,
            MAX_SEGMENTS,
            flags,
        )?;
        room.reserve(MAX_SEGMENTS, flags)?;
        Ok(room)
    }

    /// Room for a request. There is always some while none is in use; otherwise there may be no memory now.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<KBox<Room>> {
        let room = match self.idle.pop() {
            Some(room) => room,
            None => self.new_room(GFP_NOWAIT).ok()?,
        };
        self.cold = self.cold.min(self.idle.len());
        Some(room)
    }

    /// Sees to it that `room` has `pages` pages. The last resort is for requests that need no more than
    /// [`RESERVE`].
    #[inline]
    pub(crate) fn fill(&mut self, room: &mut Room, pages: usize, flags: Flags) -> Result {
        if room.pages().len() >= pages {
            return Ok(());
        }
        self.fill_slowly(room, pages, flags)
    }

    fn fill_slowly(&mut self, room: &mut Room, pages: usize, flags: Flags) -> Result {
        while room.pages().len() < pages {
            let page = match Page::alloc_page(flags) {
                Ok(page) => page,
                Err(_) => self.reserve.pop().ok_or(ENOMEM)?,
            };
            room.add_page(page, flags)?;
        }
        Ok(())
    }

    /// Takes room back, with its pages.
    #[inline]
    pub(crate) fn put(&mut self, mut room: KBox<Room>) {
        while self.reserve.len() < RESERVE {
            let Some(page) = room.take_page() else { break };
            // There is room for as many.
            let _ = self.reserve.push_within_capacity(page);
        }
        // There is room for as many as the ring has slots.
        let _ = self.idle.push_within_capacity(room);
    }

    /// Whether there is anything to give back, now or after a while.
    #[inline]
    pub(crate) fn has_spare(&self) -> bool {
        self.idle.len() > 1 || self.idle.iter().any(|room| !room.pages().is_empty())
    }

    /// Gives back what was not used since the last call.
    pub(crate) fn trim(&mut self) {
        let cold = self.cold;
        if cold == self.idle.len() {
            // Nothing was used at all: what is left is one bare room.
            self.idle.truncate(1);
            for room in &mut self.idle {
                while room.take_page().is_some() {}
            }
        } else if let Some(used) = self.idle.len().checked_sub(cold) {
            self.idle.rotate_left(cold);
            self.idle.truncate(used);
        }
        self.cold = self.idle.len();
    }
}
