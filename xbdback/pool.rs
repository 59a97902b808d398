// SPDX-License-Identifier: GPL-2.0

//! What requests are made of, kept between them: pages for data, and room for the requests themselves.
//!
//! In steady state nothing is allocated. One request's worth is never given up, so that there is always one
//! that can be done, however short of memory the system is: when allocation fails, the others wait for it.

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
    Io,
    MAX_PAGES, //
};

/// While there are requests to answer, the ring's thread does not wait for memory.
const NO_WAIT: Flags = GFP_NOWAIT;

/// Pages kept by a ring that has nothing to do: 128 KiB.
const IDLE_PAGES: usize = 32;

/// The stock of one ring. It has one owner, the ring's thread.
pub(crate) struct Pool {
    completions: Arc<Completions<Option<Job>>>,
    requests: KVec<KBox<Room>>,
    pages: KVec<Page>,
}

impl Pool {
    /// A pool that can serve one request of any size; at most `slots` are in use at a time.
    pub(crate) fn new(completions: Arc<Completions<Option<Job>>>, slots: usize) -> Result<Self> {
        let mut pool = Self {
            requests: KVec::with_capacity(slots, GFP_KERNEL)?,
            pages: KVec::with_capacity(slots.saturating_mul(MAX_PAGES), GFP_KERNEL)?,
            completions,
        };
        let first = Io::new(pool.completions.clone(), None, GFP_KERNEL)?;
        pool.requests.push(first, GFP_KERNEL)?;
        while pool.pages.len() < MAX_PAGES {
            pool.pages.push(Page::alloc_page(GFP_KERNEL)?, GFP_KERNEL)?;
        }
        Ok(pool)
    }

    /// A request with `pages` pages; `None` when there is no memory for it now.
    pub(crate) fn take(&mut self, pages: usize) -> Option<KBox<Room>> {
        let mut io = match self.requests.pop() {
            Some(io) => io,
            None => Io::new(self.completions.clone(), None, NO_WAIT).ok()?,
        };
        while io.pages.len() < pages {
            let page = match self.pages.pop() {
                Some(page) => Some(page),
                None => Page::alloc_page(NO_WAIT).ok(),
            };
            let Some(page) = page else {
                self.put(io);
                return None;
            };
            if io.pages.push_within_capacity(page).is_err() {
                self.put(io);
                return None;
            }
        }
        Some(io)
    }

    /// Takes a request back, with its pages.
    pub(crate) fn put(&mut self, mut io: KBox<Room>) {
        while let Some(page) = io.pages.pop() {
            // Room for every page was made; one too many would only be freed.
            let _ = self.pages.push_within_capacity(page);
        }
        let _ = self.requests.push_within_capacity(io);
    }

    /// Gives memory back while there is nothing to do.
    pub(crate) fn rest(&mut self) {
        self.pages.truncate(IDLE_PAGES);
    }
}
