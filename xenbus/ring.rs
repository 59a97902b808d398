// SPDX-License-Identifier: GPL-2.0

//! The memory of a shared ring.
//!
//! The frontend can write it at any time, so there is no reference to it anywhere: it is read and written
//! by volatile accesses into and from private memory, here and in no other place. What the values mean is
//! the business of [`xenbus_proto::ring`].

use crate::{
    bindings,
    device::Device, //
};
use core::{
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            atomic_load, atomic_store,
            ordering::{
                Acquire,
                Relaxed,
                Release, //
            },
        }, //
    },
};
use xenbus_proto::{
    abi::Abi,
    number::GrantRef,
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
/// # Invariants
///
/// `base` is the start of a mapping made by `xenbus_map_ring_valloc` for `dev`, with room for the header and
/// `last_slot + 1` slots, a power of two, of `slot_words` words.
pub struct RingMemory {
    dev: ARef<Device>,
    base: NonNull<u8>,
    last_slot: u32,
    slot_words: usize,
}

// SAFETY: The mapping may be used from any thread, and is unmapped by whichever drops it.
unsafe impl Send for RingMemory {}

impl RingMemory {
    /// Maps the ring that these pages of the frontend's make up.
    ///
    /// Waits for the frontend's pages if it has them on swap: not to be called in xenwatch. When a page cannot
    /// be mapped, the kernel has told xenstore so, and that this end is closing.
    pub fn map(dev: ARef<Device>, pages: &[GrantRef], abi: Abi, size: RingSize) -> Result<Self> {
        let slots_size = (size.slots() as usize).saturating_mul(abi.entry_size());
        let room = pages.len().saturating_mul(PAGE_SIZE);
        if pages.len() > MAX_PAGES || slots_size.saturating_add(HEADER_SIZE) > room {
            return Err(EINVAL);
        }
        let mut refs = [0u32; MAX_PAGES];
        for (raw, page) in refs.iter_mut().zip(pages) {
            *raw = page.0;
        }
        let mut address = core::ptr::null_mut();
        // SAFETY: The device is valid, `refs` holds at least `pages.len()` references, and `address` is
        // valid for a write.
        to_result(unsafe {
            bindings::xenbus_map_ring_valloc(
                dev.as_raw(),
                refs.as_mut_ptr(),
                pages.len() as c_uint,
                &raw mut address,
            )
        })?;
        // INVARIANT: The call succeeded, and the pages have room for the slots.
        Ok(Self {
            dev,
            base: NonNull::new(address.cast()).ok_or(EINVAL)?,
            last_slot: size.slots().saturating_sub(1),
            slot_words: abi.entry_size() / WORD,
        })
    }

    /// The address of a counter in the header, or of its end.
    fn counter(&self, offset: usize) -> *mut u32 {
        // SAFETY: `offset` is one of the constants above, at most the size of the header.
        unsafe { self.base.as_ptr().add(offset).cast() }
    }

    /// The address of a slot; a number beyond the ring wraps.
    fn slot(&self, slot: u32) -> *mut u32 {
        let slot = (slot & self.last_slot) as usize;
        let first: *mut u32 = self.counter(HEADER_SIZE);
        // SAFETY: By the type invariant the slot is within the mapping.
        unsafe { first.add(slot.wrapping_mul(self.slot_words)) }
    }
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
        let from = self.slot(slot);
        let first = part.start / WORD;
        let part = entry.bytes_mut().get_mut(part).unwrap_or_default();
        let words = (first..self.slot_words).zip(part.chunks_exact_mut(WORD));
        for (word, to) in words {
            // SAFETY: Within the slot, which is aligned to four bytes; volatile, since the frontend may
            // write at the same time.
            let value = unsafe { from.add(word).read_volatile() };
            to.copy_from_slice(&value.to_ne_bytes());
        }
    }

    #[inline]
    fn write_slot(&mut self, slot: u32, response: &[u8; Response::SIZE]) {
        let to = self.slot(slot);
        for (word, from) in response.chunks_exact(WORD).enumerate() {
            let Ok(bytes) = from.try_into() else { return };
            // SAFETY: Within the slot, which is aligned to four bytes, and larger than a response.
            unsafe { to.add(word).write_volatile(u32::from_ne_bytes(bytes)) };
        }
    }

    #[inline]
    fn full_barrier(&self) {
        // SAFETY: Always allowed.
        unsafe { bindings::xenbus_helper_virt_mb() };
    }
}

impl Drop for RingMemory {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. A failure leaves the pages to the kernel, which says so.
        unsafe {
            bindings::xenbus_unmap_ring_vfree(self.dev.as_raw(), self.base.as_ptr().cast());
        }
    }
}
