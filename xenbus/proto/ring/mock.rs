// SPDX-License-Identifier: GPL-2.0

//! A test double of the shared ring, with the frontend's end of it.
//!
//! Included by path in tests outside the crate too, so it takes its imports from the file around
//! it.

use std::cell::{
    Cell,
    Ref,
    RefCell,
    RefMut, //
};
use std::ops::Range;
use std::rc::Rc;

use super::{
    Abi,
    RawSlot,
    Response,
    RingSize,
    SharedRing, //
};

/// The memory of a ring.
pub struct Page {
    abi: Abi,
    pub req_prod: u32,
    pub req_event: u32,
    pub rsp_prod: u32,
    pub rsp_event: u32,
    pub entries: Vec<RawSlot>,
    /// Responses the frontend has read.
    rsp_cons: u32,
    /// Added to `req_prod` at every load, and to every byte of an entry: memory that never stays.
    pub restless: bool,
    /// Loads of `req_prod`.
    pub producer_loads: Cell<u32>,
    /// Loads of parts of entries.
    pub entry_loads: Cell<u32>,
    /// Which bytes of each entry were loaded since its request came: none twice (R1).
    read: RefCell<Vec<[bool; 112]>>,
    /// Requests the frontend places at the next full barrier: what another processor might do.
    pub race: Cell<u32>,
    /// Full barriers since responses were last published.
    pub barriers: Cell<u32>,
}

/// A page that test and ring share, as guest and backend do.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<Page>>);

impl Shared {
    /// A ring whose counters have run to `start`, with slots full of old rubbish.
    pub fn new(abi: Abi, size: RingSize, start: u32) -> Self {
        Self(Rc::new(RefCell::new(Page {
            abi,
            req_prod: start,
            req_event: start.wrapping_add(1),
            rsp_prod: start,
            rsp_event: start.wrapping_add(1),
            entries: vec![RawSlot::new([0xa5; 112]); size.slots() as usize],
            rsp_cons: start,
            restless: false,
            producer_loads: Cell::new(0),
            entry_loads: Cell::new(0),
            read: RefCell::new(vec![[false; 112]; size.slots() as usize]),
            race: Cell::new(0),
            barriers: Cell::new(0),
        })))
    }

    pub fn page(&self) -> Ref<'_, Page> {
        self.0.borrow()
    }

    pub fn page_mut(&self) -> RefMut<'_, Page> {
        self.0.borrow_mut()
    }

    /// The frontend places a request.
    pub fn send(&self, operation: u8, id: u64) {
        let mut page = self.page_mut();
        let at = page.abi.id_offset();
        let slot = page.slot(page.req_prod);
        let entry = page.entries[slot].bytes_mut();
        entry.fill(0xee);
        entry[0] = operation;
        entry[at..at + 8].copy_from_slice(&id.to_le_bytes());
        page.req_prod = page.req_prod.wrapping_add(1);
    }

    /// The operation that the answer to a request sent with this one names: an indirect request's
    /// is the next byte.
    pub fn answered(operation: u8) -> u8 {
        match operation {
            6 => 0xee,
            _ => operation,
        }
    }

    /// The frontend takes the next response: id, operation, status. Checks that the rest of it
    /// is zero.
    pub fn receive(&self) -> Option<(u64, u8, i16)> {
        let mut page = self.page_mut();
        if page.rsp_cons == page.rsp_prod {
            return None;
        }
        let slot = page.slot(page.rsp_cons);
        page.rsp_cons = page.rsp_cons.wrapping_add(1);
        let entry = page.entries[slot].bytes();
        assert_eq!(entry[9], 0, "padding leaks");
        assert_eq!(entry[12..Response::SIZE], [0; 4], "padding leaks");
        Some((
            u64::from_le_bytes(entry[..8].try_into().unwrap()),
            entry[8],
            i16::from_le_bytes(entry[10..12].try_into().unwrap()),
        ))
    }
}

impl Page {
    fn slot(&self, count: u32) -> usize {
        count as usize % self.entries.len()
    }
}

impl SharedRing for Shared {
    fn req_prod(&self) -> u32 {
        let page = self.page();
        let loads = page.producer_loads.get();
        page.producer_loads.set(loads + 1);
        page.req_prod
            .wrapping_add(if page.restless { loads } else { 0 })
    }

    fn rsp_prod(&self) -> u32 {
        self.page().rsp_prod
    }

    fn rsp_event(&self) -> u32 {
        let page = self.page();
        assert_ne!(page.barriers.get(), 0, "no barrier before rsp_event");
        page.rsp_event
    }

    fn set_req_event(&mut self, value: u32) {
        self.page_mut().req_event = value;
    }

    fn publish_rsp_prod(&mut self, value: u32) {
        let mut page = self.page_mut();
        page.rsp_prod = value;
        page.barriers.set(0);
    }

    fn read_slot(&self, slot: u32, part: Range<usize>, entry: &mut RawSlot) {
        let page = self.page();
        let loads = page.entry_loads.get();
        page.entry_loads.set(loads + 1);
        assert!(part.end <= page.abi.entry_size());
        assert_eq!((part.start % 4, part.end % 4), (0, 0), "no whole words");
        let change = if page.restless { loads as u8 } else { 0 };
        let mut read = page.read.borrow_mut();
        for at in part {
            assert!(!read[slot as usize][at], "byte {at} is read twice");
            read[slot as usize][at] = true;
            let byte = page.entries[slot as usize].bytes()[at];
            entry.bytes_mut()[at] = byte.wrapping_add(change);
        }
    }

    fn write_slot(&mut self, slot: u32, response: &[u8; Response::SIZE]) {
        let mut page = self.page_mut();
        page.read.borrow_mut()[slot as usize] = [false; 112];
        page.entries[slot as usize].bytes_mut()[..Response::SIZE].copy_from_slice(response);
    }

    fn full_barrier(&self) {
        let mut page = self.page_mut();
        page.barriers.set(page.barriers.get() + 1);
        page.req_prod = page.req_prod.wrapping_add(page.race.take());
    }
}
