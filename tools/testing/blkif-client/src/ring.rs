// SPDX-License-Identifier: GPL-2.0

//! The frontend's side of a ring of one or more pages (`ring.h`), with every index open to abuse.

use std::sync::atomic::{fence, AtomicU32, Ordering};

use crate::gntalloc::Pages;
use crate::wire::{Layout, RING_SIZE};

const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 4;
const RSP_PROD: usize = 8;
const RSP_EVENT: usize = 12;
const ENTRIES: usize = 64;

/// An answer, as it lies in the ring.
#[derive(Clone, Debug)]
pub struct Response {
    /// The request's id.
    pub id: u64,
    /// The request's operation.
    pub operation: u8,
    /// 0, -1 or -2.
    pub status: i16,
    /// All bytes of the ring entry.
    pub entry: Vec<u8>,
}

/// A ring shared with the backend.
pub struct FrontRing {
    pages: Pages,
    layout: Layout,
    req_prod: u32,
    rsp_cons: u32,
}

impl FrontRing {
    /// Makes an empty ring in `pages`.
    pub fn new(pages: Pages, layout: Layout) -> Self {
        Self::starting_at(pages, layout, 0)
    }

    /// Makes a ring whose indices already stand at `index`, as one that was in use before.
    pub fn starting_at(pages: Pages, layout: Layout, index: u32) -> Self {
        let ring = Self {
            pages,
            layout,
            req_prod: index,
            rsp_cons: index,
        };
        ring.set_index(REQ_PROD, index);
        ring.set_index(RSP_PROD, index);
        ring.set_index(REQ_EVENT, index.wrapping_add(1));
        ring.set_index(RSP_EVENT, index.wrapping_add(1));
        ring
    }

    /// The reference of the ring's first page.
    pub fn gref(&self) -> u32 {
        self.pages.gref()
    }

    /// The references of the ring's pages.
    pub fn grefs(&self) -> &[u32] {
        self.pages.grefs()
    }

    /// How many requests fit.
    pub fn size(&self) -> u32 {
        RING_SIZE * self.grefs().len() as u32
    }

    /// The layout of its entries.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Slots that hold no unanswered request.
    pub fn free(&self) -> u32 {
        self.size() - self.in_flight()
    }

    /// Requests posted and not yet answered.
    pub fn in_flight(&self) -> u32 {
        self.req_prod.wrapping_sub(self.rsp_cons)
    }

    /// Writes a ring entry and counts it, without telling the backend.
    pub fn post(&mut self, entry: &[u8]) {
        self.pages.write(self.slot_offset(self.req_prod), entry);
        self.req_prod = self.req_prod.wrapping_add(1);
    }

    /// Shows the posted requests to the backend; true when it wants an event.
    pub fn push(&self) -> bool {
        let old = self.index(REQ_PROD);
        self.set_index(REQ_PROD, self.req_prod);
        let event = self.index(REQ_EVENT);
        self.req_prod.wrapping_sub(event) < self.req_prod.wrapping_sub(old)
    }

    /// The request index the backend sees.
    pub fn shown_req_prod(&self) -> u32 {
        self.index(REQ_PROD)
    }

    /// Sets the request index the backend sees to anything; our own stays.
    pub fn show_req_prod(&self, index: u32) {
        self.set_index(REQ_PROD, index);
    }

    /// Sets the response index, which is the backend's to write.
    pub fn corrupt_rsp_prod(&self, index: u32) {
        self.set_index(RSP_PROD, index);
    }

    /// Takes the next answer, if there is one.
    pub fn take(&mut self) -> Option<Response> {
        if self.index(RSP_PROD) == self.rsp_cons {
            return None;
        }
        let mut entry = vec![0; self.layout.entry];
        self.pages.read(self.slot_offset(self.rsp_cons), &mut entry);
        self.rsp_cons = self.rsp_cons.wrapping_add(1);
        Some(Response {
            id: u64::from_le_bytes(entry[..8].try_into().unwrap_or_default()),
            operation: entry[8],
            status: i16::from_le_bytes([entry[10], entry[11]]),
            entry,
        })
    }

    /// Asks for an event with the next answer; true when one is there already.
    pub fn arm(&self) -> bool {
        self.set_index(RSP_EVENT, self.rsp_cons.wrapping_add(1));
        self.index(RSP_PROD) != self.rsp_cons
    }

    /// The bytes of the slot that the next posted request will take, for a thread that changes them under way.
    pub fn next_slot(&self) -> SlotPointer {
        self.slot(self.req_prod)
    }

    /// The bytes of slot `number`.
    pub fn slot(&self, number: u32) -> SlotPointer {
        // SAFETY: The offset of a slot and the slot's bytes are inside the pages.
        let start = unsafe { self.pages.address().add(self.slot_offset(number)) };
        SlotPointer {
            start,
            length: self.layout.entry,
        }
    }

    fn slot_offset(&self, number: u32) -> usize {
        ENTRIES + (number % self.size()) as usize * self.layout.entry
    }

    fn index(&self, offset: usize) -> u32 {
        let value = self.shared(offset).load(Ordering::SeqCst);
        fence(Ordering::SeqCst);
        value
    }

    fn set_index(&self, offset: usize, value: u32) {
        fence(Ordering::SeqCst);
        self.shared(offset).store(value, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    fn shared(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: The header's four indices are inside the pages.
        let pointer = unsafe { self.pages.address().add(offset) };
        // SAFETY: The memory lives as long as `self`, is aligned, and both sides access its indices as aligned words.
        unsafe { AtomicU32::from_ptr(pointer.cast()) }
    }
}

/// A slot's bytes, to be changed by another thread while the backend reads them.
///
/// # Invariants
///
/// `start` has `length` bytes as long as the ring lives; the thread that uses it is scoped inside the ring's life.
#[derive(Clone, Copy)]
pub struct SlotPointer {
    start: *mut u8,
    length: usize,
}

// SAFETY: The bytes are shared memory that is only ever written by volatile single-byte stores; races are the purpose.
unsafe impl Send for SlotPointer {}

impl SlotPointer {
    /// Stores one byte of the slot.
    pub fn poke(self, offset: usize, byte: u8) {
        assert!(offset < self.length);
        // SAFETY: `offset` is inside the slot by the assertion above.
        let to = unsafe { self.start.add(offset) };
        // SAFETY: Valid by the type's invariants.
        unsafe { to.write_volatile(byte) };
    }
}
