// SPDX-License-Identifier: GPL-2.0

//! Copying between our pages and pages that another domain has granted.
//!
//! Xen copies: the other domain's page is never mapped, so nothing has to be unmapped or can be left
//! behind, and one hypercall moves the data of many requests. A [`CopyBuffer`] is the room for the
//! operations; a [`CopyBatch`] is filled, and run.

use super::NOT_DONE;
use crate::bindings;
use core::{
    marker::PhantomData,
    ops::Range, //
};
use kernel::{
    page::{
        Page,
        PAGE_SIZE, //
    },
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

/// Ourselves, in a hypercall.
const DOMID_SELF: u16 = 0x7ff0;

/// How often an operation is tried again whose page Xen has to bring in first (`GNTST_eagain`), at one
/// millisecond each.
const PAGING_TRIES: u32 = 100;

/// Room for copy operations, kept between batches.
pub struct CopyBuffer {
    ops: KVVec<bindings::gnttab_copy>,
}

// SAFETY: The operations are numbers.
unsafe impl Send for CopyBuffer {}

impl CopyBuffer {
    /// Room for `operations` operations.
    pub fn new(operations: usize) -> Result<Self> {
        Ok(Self {
            ops: KVVec::with_capacity(operations, GFP_KERNEL)?,
        })
    }

    /// Gives the room back to the kernel.
    pub fn rest(&mut self) {
        self.ops = KVVec::new();
    }

    /// Starts a batch of copies from and to pages of `peer`.
    pub fn batch<'ops, 'page>(&'ops mut self, peer: DomainId) -> CopyBatch<'ops, 'page> {
        self.ops.clear();
        CopyBatch {
            ops: &mut self.ops,
            peer: peer.0,
            pages: PhantomData,
        }
    }
}

/// Copies to be made at once. Every page stays borrowed until they are made.
pub struct CopyBatch<'ops, 'page> {
    ops: &'ops mut KVVec<bindings::gnttab_copy>,
    peer: u16,
    pages: PhantomData<&'page Page>,
}

/// A part of one of our pages, in bytes.
#[derive(Clone, Copy)]
pub struct Local<'a> {
    /// The page.
    pub page: &'a Page,
    /// Where the part starts.
    pub offset: u16,
}

/// A part of a page of the peer, in bytes.
#[derive(Clone, Copy)]
pub struct Remote {
    /// The page.
    pub gref: GrantRef,
    /// Where the part starts.
    pub offset: u16,
}

impl<'ops, 'page> CopyBatch<'ops, 'page> {
    /// The number of copies so far.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Adds a copy of `len` bytes from the peer's page into ours.
    ///
    /// # Errors
    ///
    /// `EINVAL` when either part reaches over the end of its page.
    pub fn from_peer(&mut self, from: Remote, to: Local<'page>, len: u16) -> Result {
        let source = self.remote(from);
        self.push(source, local(to), GNTCOPY_SOURCE_GREF, from, to, len)
    }

    /// Adds a copy of `len` bytes from our page into the peer's.
    ///
    /// # Errors
    ///
    /// `EINVAL` when either part reaches over the end of its page.
    pub fn to_peer(&mut self, from: Local<'page>, to: Remote, len: u16) -> Result {
        let dest = self.remote(to);
        self.push(local(from), dest, GNTCOPY_DEST_GREF, to, from, len)
    }

    fn remote(&self, part: Remote) -> bindings::gnttab_copy_gnttab_copy_ptr {
        let mut end = bindings::gnttab_copy_gnttab_copy_ptr::default();
        end.u.ref_ = part.gref.0;
        end.domid = self.peer;
        end.offset = part.offset;
        end
    }

    fn push(
        &mut self,
        source: bindings::gnttab_copy_gnttab_copy_ptr,
        dest: bindings::gnttab_copy_gnttab_copy_ptr,
        flags: u16,
        remote: Remote,
        local: Local<'page>,
        len: u16,
    ) -> Result {
        let fits = |offset: u16| usize::from(offset.saturating_add(len)) <= PAGE_SIZE;
        if !fits(remote.offset) || !fits(local.offset) {
            return Err(EINVAL);
        }
        let op = bindings::gnttab_copy {
            source,
            dest,
            len,
            flags,
            status: NOT_DONE,
        };
        Ok(self.ops.push(op, GFP_KERNEL)?)
    }

    /// Makes the copies: one hypercall.
    pub fn run(self) -> Copied<'ops> {
        let Self { ops, .. } = self;
        if !ops.is_empty() && hypercall(ops).is_ok() {
            retry_paged_out(ops);
        }
        Copied { ops }
    }
}

const GNTCOPY_SOURCE_GREF: u16 = 1;
const GNTCOPY_DEST_GREF: u16 = 2;

fn local(part: Local<'_>) -> bindings::gnttab_copy_gnttab_copy_ptr {
    let mut end = bindings::gnttab_copy_gnttab_copy_ptr::default();
    // SAFETY: `Page` is a valid page of ours.
    end.u.gmfn = unsafe { bindings::xenbus_helper_page_to_gfn(part.page.as_ptr()) };
    end.domid = DOMID_SELF;
    end.offset = part.offset;
    end
}

fn hypercall(ops: &mut [bindings::gnttab_copy]) -> Result {
    let count = c_uint::try_from(ops.len())?;
    // SAFETY: The slice is valid for `count` operations. Each stays within a page of ours (checked by
    // `push`) that is borrowed until the batch is gone. The contents of a `Page` may change at any time;
    // whoever looks at them has to see to that.
    let failed = unsafe { bindings::xenbus_helper_grant_copy(ops.as_mut_ptr(), count) };
    if failed == 0 {
        Ok(())
    } else {
        // What was not answered keeps its `NOT_DONE`.
        Err(EIO)
    }
}

/// Makes those copies again whose page was on the peer's swap, for a bounded time.
fn retry_paged_out(ops: &mut [bindings::gnttab_copy]) {
    let mut tries = PAGING_TRIES;
    for op in ops.iter_mut() {
        while i32::from(op.status) == bindings::XENBUS_GNTST_EAGAIN && tries > 0 {
            tries = tries.saturating_sub(1);
            fsleep(Delta::from_millis(1));
            if hypercall(core::slice::from_mut(op)).is_err() {
                op.status = NOT_DONE;
            }
        }
    }
}

/// What became of the copies.
pub struct Copied<'a> {
    ops: &'a [bindings::gnttab_copy],
}

impl Copied<'_> {
    /// Whether all of these copies, numbered in the order they were added, were made.
    pub fn all_done(&self, copies: Range<usize>) -> bool {
        self.ops.get(copies).is_some_and(|ops| {
            ops.iter()
                .all(|op| i32::from(op.status) == bindings::XENBUS_GNTST_OKAY)
        })
    }
}
