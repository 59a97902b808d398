// SPDX-License-Identifier: GPL-2.0

//! What requests are made of, kept between them: room for the requests, with pages for their data.
//!
//! Pages start as zeroes: a disk that fills less of them than it says shows the guest nothing of this kernel's.
//!
//! In steady state nothing is allocated: the room that was used last is used next, with the pages it has. What
//! was not needed for a while is given back, or when memory is short. One direct request's worth of pages is
//! never given up, so that there is always one that can be done, however short of memory the system is.
//!
//! The guest is charged for the pages, but for those of the reserve, which it was charged when it connected.

use crate::{
    budget::Allowance,
    job::{
        Job,
        Room, //
    },
    params, //
};
use kernel::{
    alloc::{
        flags::{
            GFP_NOWAIT,
            __GFP_ZERO, //
        },
        Flags, //
    },
    page::Page,
    prelude::*,
    sync::Arc,
    time::{
        Instant,
        Monotonic, //
    },
};
use xenbus::blk::{
    Completions,
    Io, //
};
use xenbus_proto::{
    blkif::MAX_SEGMENTS,
    number::DomainId, //
};

/// Pages that are never given up: those of the largest direct request, which may be one more than it has
/// segments when it lies across blocks of a page.
pub(crate) const RESERVE: usize = MAX_SEGMENTS.saturating_add(1);

/// The stock of one ring. It has one owner, the ring's thread.
pub(crate) struct Pool {
    completions: Arc<Completions<Job>>,
    /// Room that is not in use, the one used last at the end.
    idle: KVec<KBox<Room>>,
    /// How many at the start of `idle` were not used since the last [`Pool::trim`].
    cold: usize,
    reserve: KVec<Page>,
    /// Pages of the rooms in `idle`.
    idle_pages: usize,
    /// For all pages but as many as the reserve has when it is full.
    allowance: Allowance,
    /// When memory was short, if that was a moment ago.
    squeezed: Option<Instant<Monotonic>>,
}

impl Pool {
    /// A pool that can serve one direct request; at most `slots` are in use at a time.
    pub(crate) fn new(
        guest: DomainId,
        completions: Arc<Completions<Job>>,
        slots: usize,
    ) -> Result<Self> {
        let mut pool = Self {
            completions,
            idle: KVec::with_capacity(slots, GFP_KERNEL)?,
            cold: 0,
            reserve: KVec::with_capacity(RESERVE, GFP_KERNEL)?,
            idle_pages: 0,
            allowance: Allowance::new(guest),
            squeezed: None,
        };
        let first = pool.new_room(GFP_KERNEL)?;
        pool.idle.push(first, GFP_KERNEL)?;
        while pool.reserve.len() < RESERVE {
            let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO)?;
            pool.reserve.push(page, GFP_KERNEL)?;
        }
        Ok(pool)
    }

    fn new_room(&self, flags: Flags) -> Result<KBox<Room>> {
        let mut room = Io::new(self.completions.clone(), Job::new(flags)?, RESERVE, flags)?;
        room.reserve_mappings(RESERVE, flags)?;
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
        self.idle_pages = self.idle_pages.saturating_sub(room.pages().len());
        Some(room)
    }

    /// Sees to it that `room` has `pages` pages.
    ///
    /// # Errors
    ///
    /// There is no memory now, or the guest has as many pages as it may have.
    #[inline]
    pub(crate) fn fill(&mut self, room: &mut Room, pages: usize) -> Result {
        if room.pages().len() >= pages {
            return Ok(());
        }
        self.fill_slowly(room, pages)
    }

    fn fill_slowly(&mut self, room: &mut Room, pages: usize) -> Result {
        let missing = pages.saturating_sub(room.pages().len());
        if self.allowance.take(missing).is_err() {
            self.empty();
            self.allowance.take(missing)?;
        }
        for left in (1..=missing).rev() {
            let added = Page::alloc_page(GFP_NOWAIT | __GFP_ZERO)
                .map_err(Error::from)
                .and_then(|page| room.add_page(page, GFP_NOWAIT));
            if added.is_err() {
                self.allowance.give(left);
                return added;
            }
        }
        Ok(())
    }

    /// Sees to it that `room` has `pages` pages, at any cost, for the only request that is being done:
    /// otherwise nothing might ever be. What the guest may not have, it has until it is done.
    ///
    /// The last resort is for requests that need no more than [`RESERVE`].
    #[cold]
    pub(crate) fn fill_at_any_cost(&mut self, room: &mut Room, pages: usize) -> Result {
        while room.pages().len() < pages {
            let page = match Page::alloc_page(GFP_KERNEL | __GFP_ZERO) {
                Ok(page) => {
                    self.allowance.overdraw(1);
                    page
                }
                Err(_) => self.reserve.pop().ok_or(ENOMEM)?,
            };
            room.add_page(page, GFP_KERNEL)?;
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
        let idle_pages = self.idle_pages.saturating_add(room.pages().len());
        if idle_pages > self.most_idle() || self.allowance.overdrawn() {
            self.strip(&mut room);
        } else {
            self.idle_pages = idle_pages;
        }
        // There is room for as many as the ring has slots.
        let _ = self.idle.push_within_capacity(room);
    }

    /// Frees the pages of a room.
    #[cold]
    fn strip(&mut self, room: &mut Room) {
        while room.take_page().is_some() {
            self.allowance.give(1);
        }
    }

    /// How many pages may be idle.
    #[inline]
    fn most_idle(&mut self) -> usize {
        match self.squeezed {
            None => params::max_buffer_pages.value() as usize,
            Some(since) => self.most_idle_after(since),
        }
    }

    #[cold]
    fn most_idle_after(&mut self, since: Instant<Monotonic>) -> usize {
        let milliseconds = since.elapsed().as_millis();
        if milliseconds < i64::from(params::buffer_squeeze_duration_ms.value()) {
            return 0;
        }
        self.squeezed = None;
        self.most_idle()
    }

    /// Memory is short: frees what is idle, and for a while what becomes idle.
    #[cold]
    pub(crate) fn squeeze(&mut self) {
        self.squeezed = Some(Instant::now());
        self.empty();
    }

    /// Frees the pages that are idle.
    #[cold]
    fn empty(&mut self) {
        for room in &mut self.idle {
            while room.take_page().is_some() {}
        }
        self.give_back();
    }

    /// Counts the idle pages again, some of which were freed.
    fn give_back(&mut self) {
        let before = self.idle_pages;
        self.idle_pages = self.idle.iter().map(|room| room.pages().len()).sum();
        self.allowance.give(before.saturating_sub(self.idle_pages));
        self.allowance.settle();
    }

    /// How many pages are idle.
    #[inline]
    pub(crate) fn idle_pages(&self) -> usize {
        self.idle_pages
    }

    /// Pages that the guest is charged, besides the reserve.
    pub(crate) fn charged(&self) -> usize {
        self.allowance.granted()
    }

    /// Whether there is anything to give back, now or after a while.
    #[inline]
    pub(crate) fn has_spare(&self) -> bool {
        self.idle.len() > 1 || self.idle_pages > 0
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
        self.give_back();
    }
}
