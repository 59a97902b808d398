// SPDX-License-Identifier: GPL-2.0

//! The backend's end of a shared ring.
//!
//! The frontend counts the requests it has placed in `req_prod`, we count our answers in
//! `rsp_prod`. Both counters run freely and wrap at 2^32; the slot is the counter modulo the ring's
//! size. Requests and responses share the slots: a response is written over a request that was
//! consumed before. `req_event` and `rsp_event` say at which count each side wants to be notified.
//!
//! ```text
//!      rsp_prod          req_cons            req_prod
//!    ─────┼─────────────────┼───────────────────┼─────
//!         │ taken, not yet  │ waiting           │
//!         │ answered        │                   │
//!         └──────── never more than the size ───┘
//! ```
//!
//! The page is the guest's too, so nothing in it is believed: our counters are private, `req_prod`
//! is read once per drain and must lie in the window above, and an entry is copied once before
//! anyone looks at it. Memory access itself is behind [`SharedRing`].
//!
//! Source: `xen/include/public/io/ring.h`.

use core::fmt;
use core::ops::Range;

use crate::abi::Abi;
use crate::blkif::Status;
use crate::response::Response;
use crate::slot::RawSlot;

/// Access to the memory of a ring, one volatile access per call.
///
/// A slot is named by its number, from 0 to the ring's size less one; [`BackRing`] passes no other.
pub trait SharedRing {
    /// Loads `req_prod` with acquire ordering: entries read afterwards are at least as new.
    fn req_prod(&self) -> u32;

    /// Loads `rsp_prod`. Used only when attaching.
    fn rsp_prod(&self) -> u32;

    /// Loads `rsp_event`. The caller has issued a full barrier.
    fn rsp_event(&self) -> u32;

    /// Stores `req_event`. The caller issues a full barrier afterwards.
    fn set_req_event(&mut self, value: u32);

    /// Stores `rsp_prod` with release ordering: entries written before are visible to whoever sees
    /// the new value.
    fn publish_rsp_prod(&mut self, value: u32);

    /// Copies a part of the slot to the same place in `entry`, reading each byte exactly once. The
    /// part lies within [`Abi::entry_size`] bytes, and is whole, aligned words of four bytes.
    fn read_slot(&self, slot: u32, part: Range<usize>, entry: &mut RawSlot);

    /// Overwrites the start of the slot. The rest keeps what the frontend wrote there.
    fn write_slot(&mut self, slot: u32, response: &[u8; Response::SIZE]);

    /// A full memory barrier between us and the frontend (`virt_mb`).
    fn full_barrier(&self);
}

/// The number of slots of a ring: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSize(u32);

impl RingSize {
    /// A ring of one page.
    pub const ONE_PAGE: Self = Self(32);

    /// The highest page order a ring can have.
    pub const MAX_ORDER: u32 = 4;

    /// The size of a ring of 2^`order` pages, the same for both layouts.
    pub const fn of_page_order(order: u32) -> Option<Self> {
        match order {
            0..=Self::MAX_ORDER => Some(Self(32 << order)),
            _ => None,
        }
    }

    /// How many pages.
    #[inline]
    pub const fn pages(self) -> usize {
        // CAST: Widening.
        (self.0 / Self::ONE_PAGE.0) as usize
    }

    /// How many slots.
    #[inline]
    pub const fn slots(self) -> u32 {
        self.0
    }
}

/// The duty to answer one request: given by [`BackRing::take`], discharged by [`BackRing::put`].
///
/// It remembers what the answer has to echo, so that an answer cannot go to the wrong request. It
/// is dropped only when the connection ends.
#[derive(Debug)]
#[must_use = "a request that is not answered blocks its slot"]
pub struct Slot {
    id: u64,
    operation: u8,
}

impl Slot {
    /// The frontend's id of the request. Ids need not differ.
    #[inline]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The operation that the answer names, whether or not it exists.
    #[inline]
    pub const fn operation(&self) -> u8 {
        self.operation
    }
}

/// Whether the frontend is to be notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a frontend that is not notified waits for ever"]
pub enum Notify {
    /// It waits for one of the responses just pushed.
    Yes,
    /// It does not.
    No,
}

/// The frontend's `req_prod` cannot be: the ring is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadProducer {
    /// What the frontend claims to have produced.
    pub req_prod: u32,
    /// What we have answered.
    pub rsp_prod: u32,
}

impl fmt::Display for BadProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the frontend claims {} requests on a ring with {} responses",
            self.req_prod, self.rsp_prod
        )
    }
}

/// The backend's end of a ring. It has one owner, which does everything below.
///
/// # Invariants
///
/// In counts modulo 2^32 from `rsp_prod`: `rsp_prod <= req_cons <= drain_end`, and `drain_end` is
/// at most the size away.
#[derive(Debug)]
pub struct BackRing<S> {
    shared: S,
    abi: Abi,
    size: RingSize,
    /// Requests taken.
    req_cons: u32,
    /// Where the current drain ends.
    drain_end: u32,
    /// Responses written.
    rsp_prod: u32,
    /// Responses shown to the frontend.
    published: u32,
    /// Set for good when the frontend was caught lying.
    bad: Option<BadProducer>,
}

impl<S: SharedRing> BackRing<S> {
    /// Takes up a ring where the last backend left it: everything up to `rsp_prod` has been
    /// answered.
    pub fn attach(shared: S, abi: Abi, size: RingSize) -> Result<Self, BadProducer> {
        let rsp_prod = shared.rsp_prod();
        // INVARIANT: All counts are equal.
        let mut ring = Self {
            shared,
            abi,
            size,
            req_cons: rsp_prod,
            drain_end: rsp_prod,
            rsp_prod,
            published: rsp_prod,
            bad: None,
        };
        ring.waiting()?;
        Ok(ring)
    }

    /// Looks for requests, once, and opens a drain of at most `quantum` of them. Returns how many
    /// [`Self::take`] will yield.
    #[inline]
    pub fn begin_drain(&mut self, quantum: u32) -> Result<u32, BadProducer> {
        let count = self.waiting()?.min(quantum);
        // INVARIANT: `waiting` has checked the window.
        self.drain_end = self.req_cons.wrapping_add(count);
        Ok(count)
    }

    /// Copies the next request of the drain into `entry`, as far as requests of its kind go; `None`
    /// when the drain is over.
    ///
    /// What is behind the request is whatever was in `entry` before, another request most often.
    #[inline]
    pub fn take(&mut self, entry: &mut RawSlot) -> Option<Slot> {
        if self.req_cons == self.drain_end {
            return None;
        }
        let slot = self.slot_of(self.req_cons);
        self.shared.read_slot(slot, 0..RawSlot::HEAD_SIZE, entry);
        let rest = RawSlot::HEAD_SIZE..entry.request_size(self.abi);
        self.shared.read_slot(slot, rest, entry);
        // INVARIANT: `req_cons` was below `drain_end`.
        self.req_cons = self.req_cons.wrapping_add(1);
        Some(Slot {
            id: entry.id(self.abi),
            operation: entry.answered_operation(),
        })
    }

    /// Answers a request. The frontend sees it at the next [`Self::push`].
    #[inline]
    pub fn put(&mut self, slot: Slot, status: Status) {
        if self.in_flight() == 0 {
            // Only a slot of another ring can get here; writing would break the invariant.
            return;
        }
        let response = Response {
            id: slot.id,
            operation: slot.operation,
            status,
        };
        let place = self.slot_of(self.rsp_prod);
        self.shared.write_slot(place, &response.encode());
        // INVARIANT: `rsp_prod` was below `req_cons`.
        self.rsp_prod = self.rsp_prod.wrapping_add(1);
    }

    /// Shows the frontend all answers since the last push; says whether it asked to be told of one
    /// of them.
    #[inline]
    pub fn push(&mut self) -> Notify {
        let old = self.published;
        let new = self.rsp_prod;
        if old == new {
            return Notify::No;
        }
        self.published = new;
        self.shared.publish_rsp_prod(new);
        // The frontend stores `rsp_event`, then looks at `rsp_prod`; we do the reverse. One of us
        // sees the other's store.
        self.shared.full_barrier();
        let event = self.shared.rsp_event();
        if new.wrapping_sub(event) < new.wrapping_sub(old) {
            Notify::Yes
        } else {
            Notify::No
        }
    }

    /// Before sleeping: asks for a notification of the next request, then looks again. Returns
    /// whether requests are waiting.
    #[inline]
    pub fn final_check(&mut self) -> Result<bool, BadProducer> {
        if self.waiting()? != 0 {
            return Ok(true);
        }
        self.shared.set_req_event(self.req_cons.wrapping_add(1));
        self.shared.full_barrier();
        Ok(self.waiting()? != 0)
    }

    /// How many requests have been taken and not been answered.
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.req_cons.wrapping_sub(self.rsp_prod)
    }

    /// How many slots the ring has.
    #[inline]
    pub fn size(&self) -> RingSize {
        self.size
    }

    /// The layout of the entries, for [`request::parse`](crate::request::parse).
    #[inline]
    pub fn abi(&self) -> Abi {
        self.abi
    }

    /// The memory.
    #[inline]
    pub fn shared(&self) -> &S {
        &self.shared
    }

    /// Reads `req_prod`, once, and returns how many requests wait beyond those taken.
    #[inline]
    fn waiting(&mut self) -> Result<u32, BadProducer> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        let req_prod = self.shared.req_prod();
        let produced = req_prod.wrapping_sub(self.rsp_prod);
        match produced.checked_sub(self.in_flight()) {
            Some(waiting) if produced <= self.size.0 => Ok(waiting),
            _ => Err(self.stop(req_prod)),
        }
    }

    /// Gives up on the frontend: nothing more is taken.
    #[cold]
    fn stop(&mut self, req_prod: u32) -> BadProducer {
        let bad = BadProducer {
            req_prod,
            rsp_prod: self.rsp_prod,
        };
        self.bad = Some(bad);
        self.drain_end = self.req_cons;
        bad
    }

    /// The slot of a count.
    #[inline]
    fn slot_of(&self, count: u32) -> u32 {
        count & self.size.0.wrapping_sub(1)
    }
}

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
