// SPDX-License-Identifier: GPL-2.0

//! Mapping pages that another domain has granted.
//!
//! A [`Mapping`] is one page of the other domain's, mapped where the kernel keeps no memory of its own (a
//! *frame*). Many are made and given back in one hypercall each, by a [`Mapper`].

use super::NOT_DONE;
use crate::bindings;
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        flags::GFP_NOWAIT,
        kvec::{
            DrainAll,
            PushError, //
        },
    },
    error::to_result,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};
use xenbus_proto::number::{
    DomainId,
    GrantRef, //
};

/// Frames that are asked for at once: the kernel serves one at a time no faster.
const FRAMES: usize = 32;

/// What the device may do with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only read it.
    Read,
    /// Read and write it.
    Write,
}

/// Why a page could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMapped {
    /// We have no room for it now. It can still be copied.
    NoRoom,
    /// The other domain has not granted it, or not so.
    Refused,
}

/// A page of address space without memory, for a page of the other domain's.
///
/// # Invariants
///
/// `0` came from `gnttab_alloc_pages`, is owned, and nothing is mapped there.
#[repr(transparent)]
struct Frame(NonNull<kernel::bindings::page>);

// SAFETY: A page may be used and freed from any thread.
unsafe impl Send for Frame {}

impl Drop for Frame {
    fn drop(&mut self) {
        let mut page = self.0.as_ptr();
        // SAFETY: By the type invariant.
        unsafe { bindings::gnttab_free_pages(1, &raw mut page) };
    }
}

/// A page of the other domain's, mapped until this is dropped.
///
/// # Invariants
///
/// The page that `gref` names is mapped at `frame`, as `handle` tells Xen.
pub struct Mapping {
    frame: ManuallyDrop<Frame>,
    handle: bindings::grant_handle_t,
    gref: GrantRef,
}

impl Mapping {
    /// The grant that was mapped.
    #[inline]
    pub fn gref(&self) -> GrantRef {
        self.gref
    }

    #[inline]
    pub(crate) fn page(&self) -> *mut kernel::bindings::page {
        self.frame.0.as_ptr()
    }

    /// Where the page is; valid until this is dropped.
    pub(crate) fn address(&self) -> NonNull<u8> {
        // SAFETY: By the type invariant the frame is a page.
        let address = unsafe { bindings::xenbus_helper_page_address(self.page()) };
        // SAFETY: Frames are in the kernel's linear mapping, where nothing is at 0.
        unsafe { NonNull::new_unchecked(address) }
    }

    /// Copies what stands in the page at `offset` (in bytes) into `to`; the other domain may be writing it
    /// at the same time. Bytes beyond the page are not copied.
    pub fn read(&self, offset: usize, to: &mut [u8]) {
        // SAFETY: By the type invariant the page is mapped; the helper stays within it.
        unsafe {
            bindings::xenbus_helper_read_page(self.page(), offset, to.as_mut_ptr(), to.len())
        };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let mut op = self.unmap_op();
        wait_until_idle(self.page());
        unmap(core::slice::from_mut(&mut op), &mut [self.page()]);
        // SAFETY: The frame is not used again.
        let frame = unsafe { ManuallyDrop::take(&mut self.frame) };
        keep_if_unmapped(&op, frame);
    }
}

impl Mapping {
    fn unmap_op(&self) -> bindings::gnttab_unmap_grant_ref {
        let mut op = bindings::gnttab_unmap_grant_ref::default();
        // SAFETY: The frame is a valid page, `op` valid for a write.
        unsafe {
            bindings::xenbus_helper_set_unmap_op(&raw mut op, self.page(), self.handle);
        }
        op.status = NOT_DONE;
        op
    }
}

/// Makes mappings of one domain's pages, and gives them back, many at a time.
pub struct Mapper {
    peer: DomainId,
    free: KVec<Frame>,
    maps: KVVec<bindings::gnttab_map_grant_ref>,
    targets: KVec<Frame>,
    unmaps: KVVec<bindings::gnttab_unmap_grant_ref>,
    done: KVec<Frame>,
}

// SAFETY: The operations are numbers, and frames may be used from any thread.
unsafe impl Send for Mapper {}

impl Mapper {
    /// For pages of `peer`.
    pub fn new(peer: DomainId) -> Self {
        Self {
            peer,
            free: KVec::new(),
            maps: KVVec::new(),
            targets: KVec::new(),
            unmaps: KVVec::new(),
            done: KVec::new(),
        }
    }

    /// How many pages wait to be mapped.
    pub fn wanted(&self) -> usize {
        self.maps.len()
    }

    /// Makes room for `count` more pages to be asked for.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: they can still be copied.
    pub fn reserve(&mut self, count: usize) -> Result {
        self.maps.reserve(count, GFP_NOWAIT)?;
        self.targets.reserve(count, GFP_NOWAIT)?;
        while self.free.len() < count {
            self.more_frames()?;
        }
        Ok(())
    }

    /// Asks for a page to be mapped with the next [`Mapper::map`]; room for it was made.
    pub fn want(&mut self, gref: GrantRef, access: Access) {
        let Some(frame) = self.free.pop() else { return };
        let mut op = bindings::gnttab_map_grant_ref::default();
        // SAFETY: The frame is a valid page, `op` valid for a write.
        unsafe {
            bindings::xenbus_helper_set_map_op(
                &raw mut op,
                frame.0.as_ptr(),
                access == Access::Read,
                gref.0,
                self.peer.0,
            )
        };
        op.status = NOT_DONE;
        let maps = self.maps.push_within_capacity(op);
        let targets = self.targets.push_within_capacity(frame);
        debug_assert!(maps.is_ok() && targets.is_ok());
    }

    /// Maps all that was asked for: one hypercall. The outcomes come in the order of the calls of
    /// [`Mapper::want`]; those that are not looked at are unmapped.
    pub fn map(&mut self) -> Mapped<'_> {
        // `Frame` is a transparent page pointer.
        let pages: *mut *mut kernel::bindings::page = self.targets.as_mut_ptr().cast();
        if !self.maps.is_empty() {
            // SAFETY: Both arrays have as many elements; every frame is free by its invariant. What was not
            // carried out keeps its `NOT_DONE`.
            let _ = unsafe {
                bindings::gnttab_map_refs(
                    self.maps.as_mut_ptr(),
                    core::ptr::null_mut(),
                    pages,
                    self.maps.len() as c_uint,
                )
            };
        }
        Mapped {
            frames: self.targets.drain_all(),
            maps: self.maps.drain_all(),
            free: &mut self.free,
        }
    }

    /// Gives a page back with the next [`Mapper::unmap`].
    pub fn unwant(&mut self, mapping: Mapping) {
        let op = mapping.unmap_op();
        if self.unmaps.push(op, GFP_NOWAIT).is_err() {
            // Dropping it gives it back now.
            return;
        }
        let mut mapping = ManuallyDrop::new(mapping);
        // SAFETY: The mapping is not dropped, so this is the only use of the frame.
        let frame = unsafe { ManuallyDrop::take(&mut mapping.frame) };
        if let Err(PushError(frame)) = self.push_done(frame) {
            self.unmaps.pop();
            wait_until_idle(frame.0.as_ptr());
            let mut op = op;
            unmap(core::slice::from_mut(&mut op), &mut [frame.0.as_ptr()]);
            keep_if_unmapped(&op, frame);
        }
    }

    /// Adds a frame to those that are about to be free.
    fn push_done(&mut self, frame: Frame) -> Result<(), PushError<Frame>> {
        // A failure to grow shows when there is no capacity.
        let _ = self.done.reserve(1, GFP_NOWAIT);
        self.done.push_within_capacity(frame)
    }

    /// Unmaps all that was given back: one hypercall.
    pub fn unmap(&mut self) {
        if self.unmaps.is_empty() {
            return;
        }
        for frame in &self.done {
            wait_until_idle(frame.0.as_ptr());
        }
        let mut done = core::mem::take(&mut self.done);
        let mut unmaps = core::mem::take(&mut self.unmaps);
        // SAFETY: `Frame` is a transparent page pointer, and the slice as long as the vector.
        let pages =
            unsafe { core::slice::from_raw_parts_mut(done.as_mut_ptr().cast(), done.len()) };
        unmap(&mut unmaps, pages);
        for (frame, op) in done.drain_all().zip(unmaps.iter()) {
            if let Some(frame) = keep_if_unmapped(op, frame) {
                self.put_frame(frame);
            }
        }
        unmaps.clear();
        self.unmaps = unmaps;
        self.done = done;
    }

    /// Gives unused frames back to the kernel, and the room for operations: it is that of the busiest moment.
    pub fn rest(&mut self) {
        self.free = KVec::new();
        if self.maps.is_empty() && self.unmaps.is_empty() {
            self.maps = KVVec::new();
            self.targets = KVec::new();
            self.unmaps = KVVec::new();
            self.done = KVec::new();
        }
    }

    fn put_frame(&mut self, frame: Frame) {
        // One that finds no place is freed.
        let _ = self.free.push(frame, GFP_NOWAIT);
    }

    fn more_frames(&mut self) -> Result {
        self.free.reserve(FRAMES, GFP_NOWAIT)?;
        let mut pages = [core::ptr::null_mut(); FRAMES];
        // SAFETY: The array has room for as many pages.
        to_result(unsafe { bindings::gnttab_alloc_pages(FRAMES as c_int, pages.as_mut_ptr()) })?;
        for page in pages.into_iter().filter_map(NonNull::new) {
            // INVARIANT: The page was just made, and given to us. There is room for it.
            let _ = self.free.push_within_capacity(Frame(page));
        }
        Ok(())
    }
}

/// What became of the pages that were to be mapped.
pub struct Mapped<'a> {
    frames: DrainAll<'a, Frame>,
    maps: DrainAll<'a, bindings::gnttab_map_grant_ref>,
    free: &'a mut KVec<Frame>,
}

impl Iterator for Mapped<'_> {
    type Item = Result<Mapping, NotMapped>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.frames.next()?;
        let op = self.maps.next()?;
        Some(match i32::from(op.status) {
            // INVARIANT: Xen has said so.
            bindings::XENBUS_GNTST_OKAY => Ok(Mapping {
                frame: ManuallyDrop::new(frame),
                handle: op.handle,
                gref: GrantRef(op.ref_),
            }),
            status => {
                // One that finds no place is freed.
                let _ = self.free.push(frame, GFP_NOWAIT);
                Err(match status {
                    // What Xen says when it has no handle left; the first is what it said before 4.16.
                    bindings::XENBUS_GNTST_NO_DEVICE_SPACE | bindings::XENBUS_GNTST_NO_SPACE => {
                        NotMapped::NoRoom
                    }
                    _ => NotMapped::Refused,
                })
            }
        })
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        for mapping in &mut *self {
            drop(mapping);
        }
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        self.unmap();
    }
}

/// Waits until nobody else holds a reference to a page: a network block device may be done with a request
/// and still have its pages in packets that it sends again.
fn wait_until_idle(page: *mut kernel::bindings::page) {
    // SAFETY: The caller owns the page.
    while unsafe { bindings::xenbus_helper_page_busy(page) } {
        fsleep(Delta::from_millis(5));
    }
}

/// Unmaps pages. Both slices have the same length.
fn unmap(ops: &mut [bindings::gnttab_unmap_grant_ref], pages: &mut [*mut kernel::bindings::page]) {
    let count = ops.len().min(pages.len());
    // SAFETY: Both have `count` elements, of mappings that their callers own. What was not carried out
    // keeps its `NOT_DONE`.
    let _ = unsafe {
        bindings::gnttab_unmap_refs(
            ops.as_mut_ptr(),
            core::ptr::null_mut(),
            pages.as_mut_ptr(),
            count as c_uint,
        )
    };
}

/// The frame, if Xen has unmapped it. Otherwise it must never be used again, so it is lost.
fn keep_if_unmapped(op: &bindings::gnttab_unmap_grant_ref, frame: Frame) -> Option<Frame> {
    if i32::from(op.status) == bindings::XENBUS_GNTST_OKAY {
        return Some(frame);
    }
    core::mem::forget(frame);
    kernel::pr_err_once!(
        "Xen could not unmap a page of another domain (status {}): the page is given up\n",
        op.status
    );
    None
}
