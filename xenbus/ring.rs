// SPDX-License-Identifier: GPL-2.0

//! The memory of a shared ring.
//!
//! The frontend can write it at any time, so there is no reference to it anywhere: it is read and written
//! by volatile accesses into and from private memory, here and in no other place. What the values mean is
//! the business of [`xenbus_proto::ring`].

use crate::{
    bindings,
    grant::{
        Access,
        Mapper,
        Mapping, //
    },
};
use core::{
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        atomic_load, atomic_store,
        ordering::{
            Acquire,
            Relaxed,
            Release, //
        },
    },
};
use xenbus_proto::{
    abi::Abi,
    number::{
        DomainId,
        GrantRef, //
    },
    response::Response,
    ring::{
        RingSize,
        SharedRing, //
    },
    slot::RawSlot, //
};

/// Bytes of a word. Entries of either layout are whole, aligned words.
const WORD: usize = 4;

/// Bytes before the first slot.
const HEADER_SIZE: usize = 64;

/// Where the counters are in the header.
const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 4;
const RSP_PROD: usize = 8;
const RSP_EVENT: usize = 12;

/// The most pages a ring can have (`XENBUS_MAX_RING_GRANTS`).
const MAX_PAGES: usize = 16;

/// A ring of the frontend's, mapped until this is dropped.
///
/// Its pages follow each other in the ring, but not in our memory. A word is always within a page; a slot may
/// begin in one and end in the next.
///
/// # Invariants
///
/// - `pages` are the addresses of `mappings`, in their order; those that there are no mappings for are that
///   of the first.
/// - There is room in the mapped pages for the header and for `last_slot + 1` slots, a power of two, of
///   `slot_size` bytes.
pub struct RingMemory {
    pages: [NonNull<u8>; MAX_PAGES],
    last_slot: u32,
    slot_size: usize,
    _mappings: KVec<Mapping>,
}

// SAFETY: Mappings may be used from any thread, and are unmapped by whichever drops them.
unsafe impl Send for RingMemory {}

impl RingMemory {
    /// Maps the ring that these pages of `peer` make up: all, or none.
    ///
    /// Waits for the frontend's pages if it has them on swap: not to be called in xenwatch.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there are too few or too many, `ENOENT` when one cannot be mapped.
    pub fn map(peer: DomainId, pages: &[GrantRef], abi: Abi, size: RingSize) -> Result<Self> {
        let slots_size = (size.slots() as usize).saturating_mul(abi.entry_size());
        let room = pages.len().saturating_mul(PAGE_SIZE);
        if pages.len() > MAX_PAGES || slots_size.saturating_add(HEADER_SIZE) > room {
            return Err(EINVAL);
        }
        let mappings = map_all(peer, pages)?;
        let first = mappings.first().ok_or(EINVAL)?.address();
        let mut addresses = [first; MAX_PAGES];
        for (address, mapping) in addresses.iter_mut().zip(&mappings) {
            *address = mapping.address();
        }
        // INVARIANT: The pages are mapped, and have room for the slots.
        Ok(Self {
            pages: addresses,
            last_slot: size.slots().saturating_sub(1),
            slot_size: abi.entry_size(),
            _mappings: mappings,
        })
    }

    /// The address of a counter in the header.
    #[inline]
    fn counter(&self, offset: usize) -> *mut u32 {
        let [first, ..] = self.pages;
        // SAFETY: `offset` is one of the constants above, less than the size of the header.
        unsafe { first.as_ptr().add(offset).cast() }
    }

    /// Where a slot begins in the ring, in bytes; a number beyond the ring wraps.
    #[inline]
    fn slot(&self, slot: u32) -> usize {
        let slot = (slot & self.last_slot) as usize;
        slot.wrapping_mul(self.slot_size).wrapping_add(HEADER_SIZE)
    }

    /// The address of what begins `at` bytes into the ring.
    #[inline]
    fn address(&self, at: usize) -> *mut u32 {
        let [first, ..] = self.pages;
        let page = self.pages.get(at / PAGE_SIZE % MAX_PAGES).unwrap_or(&first);
        // SAFETY: By the type invariant it is the address of a page that is mapped.
        unsafe { page.as_ptr().add(at % PAGE_SIZE).cast() }
    }

    /// Reads words that are in one page.
    #[inline]
    fn read_words(&self, at: usize, to: &mut [u8]) {
        let from = self.address(at);
        for (word, to) in to.chunks_exact_mut(WORD).enumerate() {
            // SAFETY: The caller stays within a page, and slots are aligned to words; volatile, since the
            // frontend may write at the same time.
            let value = unsafe { from.add(word).read_volatile() };
            to.copy_from_slice(&value.to_ne_bytes());
        }
    }

    /// Writes words that are in one page.
    #[inline]
    fn write_words(&mut self, at: usize, from: &[u8]) {
        let to = self.address(at);
        for (word, from) in from.chunks_exact(WORD).enumerate() {
            let Ok(bytes) = from.try_into() else { return };
            // SAFETY: As in `read_words`.
            unsafe { to.add(word).write_volatile(u32::from_ne_bytes(bytes)) };
        }
    }

    /// Reads words that begin in one page and end in the next.
    #[cold]
    fn read_across(&self, at: usize, to: &mut [u8]) {
        let here = left_of_page(at);
        if let Some((to, rest)) = to.split_at_mut_checked(here) {
            self.read_words(at, to);
            self.read_words(at.wrapping_add(here), rest);
        }
    }

    /// Writes words that begin in one page and end in the next.
    #[cold]
    fn write_across(&mut self, at: usize, from: &[u8]) {
        let here = left_of_page(at);
        if let Some((from, rest)) = from.split_at_checked(here) {
            self.write_words(at, from);
            self.write_words(at.wrapping_add(here), rest);
        }
    }
}

/// Maps all these pages of `peer`, or none: those that are mapped when one cannot be are dropped.
fn map_all(peer: DomainId, pages: &[GrantRef]) -> Result<KVec<Mapping>> {
    let mut mappings = KVec::with_capacity(pages.len(), GFP_KERNEL)?;
    let mut mapper = Mapper::new(peer);
    mapper.reserve(pages.len())?;
    for &page in pages {
        mapper.want(page, Access::Write);
    }
    for mapping in mapper.map() {
        let mapping = mapping.map_err(|_| ENOENT)?;
        mappings.push(mapping, GFP_KERNEL)?;
    }
    Ok(mappings)
}

/// How many bytes are left of the page, `at` bytes into the ring.
#[inline]
fn left_of_page(at: usize) -> usize {
    PAGE_SIZE.wrapping_sub(at % PAGE_SIZE)
}

/// Whether `len` bytes that begin `at` bytes into the ring are in one page.
#[inline]
fn is_in_page(at: usize, len: usize) -> bool {
    len <= left_of_page(at)
}

impl SharedRing for RingMemory {
    #[inline]
    fn req_prod(&self) -> u32 {
        // SAFETY: A valid, aligned counter that is only accessed by volatile or atomic accesses.
        unsafe { atomic_load(self.counter(REQ_PROD), Acquire) }
    }

    #[inline]
    fn rsp_prod(&self) -> u32 {
        // SAFETY: As for `req_prod`.
        unsafe { atomic_load(self.counter(RSP_PROD), Relaxed) }
    }

    #[inline]
    fn rsp_event(&self) -> u32 {
        // SAFETY: As for `req_prod`.
        unsafe { atomic_load(self.counter(RSP_EVENT), Relaxed) }
    }

    #[inline]
    fn set_req_event(&mut self, value: u32) {
        // SAFETY: As for `req_prod`.
        unsafe { atomic_store(self.counter(REQ_EVENT), value, Relaxed) };
    }

    #[inline]
    fn publish_rsp_prod(&mut self, value: u32) {
        // SAFETY: As for `req_prod`.
        unsafe { atomic_store(self.counter(RSP_PROD), value, Release) };
    }

    #[inline]
    fn read_slot(&self, slot: u32, part: Range<usize>, entry: &mut RawSlot) {
        let at = self.slot(slot).wrapping_add(part.start);
        let part = part.start..part.end.min(self.slot_size);
        let to = entry.bytes_mut().get_mut(part).unwrap_or_default();
        if is_in_page(at, to.len()) {
            self.read_words(at, to);
        } else {
            self.read_across(at, to);
        }
    }

    #[inline]
    fn write_slot(&mut self, slot: u32, response: &[u8; Response::SIZE]) {
        let at = self.slot(slot);
        if is_in_page(at, response.len()) {
            self.write_words(at, response);
        } else {
            self.write_across(at, response);
        }
    }

    #[inline]
    fn full_barrier(&self) {
        // SAFETY: Always allowed.
        unsafe { bindings::xenbus_helper_virt_mb() };
    }
}
