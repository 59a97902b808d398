// SPDX-License-Identifier: GPL-2.0

//! One request to a disk, and where it is handed back.

use super::Disk;
use crate::{
    bindings,
    doorbell::Doorbell, //
};
use core::cell::UnsafeCell;
use kernel::{
    page::{
        Page,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::{
        rcu,
        Arc, //
    },
    types::Opaque, //
};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Fills the pages from the disk.
    Read,
    /// Writes the pages to the disk.
    Write,
    /// Makes what was written durable, then writes the pages, if there are any.
    Flush,
    /// Makes what was written durable, then writes the pages so that they are durable too.
    Barrier,
}

impl Operation {
    fn may_be_empty(self) -> bool {
        matches!(self, Self::Flush | Self::Barrier)
    }

    fn flags(self) -> u32 {
        let write = bindings::XENBUS_REQ_OP_WRITE | bindings::XENBUS_REQ_SYNC;
        match self {
            Self::Read => bindings::XENBUS_REQ_OP_READ,
            // The guest's block layer has batched and sorted already: do not wait for more.
            Self::Write => write | bindings::XENBUS_REQ_IDLE,
            Self::Flush => write | bindings::XENBUS_REQ_PREFLUSH,
            Self::Barrier => write | bindings::XENBUS_REQ_PREFLUSH | bindings::XENBUS_REQ_FUA,
        }
    }
}

/// Bytes of a sector.
const SECTOR_SIZE: usize = 512;

/// Pages one request can have: those of a direct request of the block protocol.
pub const MAX_PAGES: usize = 11;

/// The room for one request to a disk, with the driver's own `payload`.
///
/// It is allocated once and used for many requests.
///
/// # Invariants
///
/// While it is submitted, the block layer owns it: `bio`, `vecs` and `pages` are left alone until the
/// completion has put it on the list of `completions`.
pub struct Io<T> {
    bio: Opaque<kernel::bindings::bio>,
    vecs: UnsafeCell<[kernel::bindings::bio_vec; MAX_PAGES]>,
    link: Opaque<kernel::bindings::llist_node>,
    completions: Arc<Completions<T>>,
    error: Result,
    /// The pages of the data, which is packed: all but the last are full.
    pub pages: KVec<Page>,
    /// The driver's own.
    pub payload: T,
}

// SAFETY: It is owned by one side at a time; the raw parts are only used by that side.
unsafe impl<T: Send> Send for Io<T> {}

impl<T: Send + 'static> Io<T> {
    /// Room for a request to the disk of `completions`.
    pub fn new(
        completions: Arc<Completions<T>>,
        payload: T,
        flags: kernel::alloc::Flags,
    ) -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                bio: Opaque::uninit(),
                vecs: UnsafeCell::new(core::array::from_fn(|_| Default::default())),
                link: Opaque::uninit(),
                completions,
                error: Ok(()),
                pages: KVec::with_capacity(MAX_PAGES, flags)?,
                payload,
            },
            flags,
        )?)
    }

    /// Hands the request to the disk: `bytes` of data in [`Io::pages`] at `sector` (of 512 bytes).
    ///
    /// It comes back through its [`Completions`], perhaps before this returns.
    ///
    /// # Errors
    ///
    /// Gives the request back when the disk could not make sense of it: `bytes` is not in whole sectors, is
    /// nothing though the operation needs data, or is more than there are pages for; or it is to be written
    /// to a disk that is read-only.
    pub fn submit(
        self: KBox<Self>,
        operation: Operation,
        sector: u64,
        bytes: usize,
    ) -> Result<(), KBox<Self>> {
        let count = bytes.div_ceil(PAGE_SIZE);
        let whole = bytes % SECTOR_SIZE == 0 && (bytes > 0 || operation.may_be_empty());
        let writes = bytes > 0 && operation != Operation::Read;
        let refused = writes && self.completions.disk.read_only();
        if !whole || refused || count > self.pages.len() || count > MAX_PAGES {
            return Err(self);
        }
        let bdev = self.completions.disk.bdev();
        let raw = KBox::into_raw(self);

        // SAFETY: `raw` was a box: valid, and ours until it is submitted.
        let io = unsafe { &*raw };
        let bio = io.bio.get();
        // SAFETY: `bio` and `vecs` are ours, and stay in place until the completion; the disk is open as
        // long as `completions`.
        unsafe {
            kernel::bindings::bio_init(
                bio,
                bdev,
                io.vecs.get().cast(),
                MAX_PAGES as c_ushort,
                operation.flags(),
            )
        };
        let mut left = bytes;
        for page in io.pages.iter().take(count) {
            let len = left.min(PAGE_SIZE);
            left = left.saturating_sub(len);
            // SAFETY: The bio was initialised with room for `MAX_PAGES` parts; the page is owned by `io`.
            let added =
                unsafe { kernel::bindings::bio_add_page(bio, page.as_ptr(), len as c_uint, 0) };
            if added as usize != len {
                // SAFETY: The bio was initialised above, and not submitted.
                unsafe { kernel::bindings::bio_uninit(bio) };
                // SAFETY: `raw` is still ours.
                return Err(unsafe { KBox::from_raw(raw) });
            }
        }
        // SAFETY: As above.
        unsafe {
            (*bio).bi_iter.bi_sector = sector;
            (*bio).bi_end_io = Some(Self::end_callback);
            (*bio).bi_private = raw.cast();
        }
        // SAFETY: The bio is complete. From here on the block layer owns it, and `raw`.
        unsafe { kernel::bindings::submit_bio(bio) };
        Ok(())
    }

    /// How the request ended. Errors of the disk come as their errno.
    pub fn result(&self) -> Result {
        self.error
    }

    /// Called by the block layer when the bio is done, in any context.
    extern "C" fn end_callback(bio: *mut kernel::bindings::bio) {
        // SAFETY: `submit` has set it to the request the bio is part of.
        let raw = unsafe { (*bio).bi_private }.cast::<Self>();

        // SAFETY: The bio is done, and not yet uninitialised.
        let errno = unsafe { bindings::xenbus_helper_bio_status_to_errno(bio) };
        // SAFETY: The block layer is done with the bio.
        unsafe { kernel::bindings::bio_uninit(bio) };
        // SAFETY: The completion owns the request now.
        unsafe { (*raw).error = kernel::error::to_result(errno) };

        // The worker may free the request, and with it the last reference to the list, as soon as it is on
        // it: `Completions::drop` waits for this guard.
        let _guard = rcu::read_lock();
        // SAFETY: `raw` is valid until it is on the list, the list until the guard is dropped.
        let completions: *const Completions<T> = unsafe { &*(*raw).completions };
        // SAFETY: As above.
        unsafe { (*completions).push(raw) };
    }
}

/// Where the requests to one disk come back, each once.
///
/// The list has no lock: completions are put on it in interrupts. Its doorbell is rung for the first one
/// on an empty list.
#[pin_data(PinnedDrop)]
pub struct Completions<T> {
    disk: Arc<Disk>,
    list: Opaque<kernel::bindings::llist_head>,
    bell: Arc<Doorbell>,
    _requests: core::marker::PhantomData<KBox<Io<T>>>,
}

// SAFETY: The list is a lock-free one; what is on it is `Send`.
unsafe impl<T: Send> Send for Completions<T> {}
// SAFETY: As above.
unsafe impl<T: Send> Sync for Completions<T> {}

impl<T: Send + 'static> Completions<T> {
    /// For requests to `disk`; `bell` is rung when some came back.
    pub fn new(disk: Arc<Disk>, bell: Arc<Doorbell>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                disk,
                list: Opaque::new(Default::default()),
                bell,
                _requests: core::marker::PhantomData,
            }),
            GFP_KERNEL,
        )
    }

    fn push(&self, raw: *mut Io<T>) {
        // SAFETY: `raw` is valid, and owned by the caller.
        let link = unsafe { (*raw).link.get() };
        // SAFETY: The link is on no list. The caller gives the request away.
        if unsafe { bindings::xenbus_helper_llist_add(link, self.list.get()) } {
            self.bell.ring();
        }
    }

    /// Takes all that came back, oldest first.
    pub fn take(&self) -> Taken<T> {
        Taken {
            // SAFETY: The list is valid.
            next: unsafe { bindings::xenbus_helper_llist_take(self.list.get()) },
            _requests: core::marker::PhantomData,
        }
    }
}

#[pinned_drop]
impl<T> PinnedDrop for Completions<T> {
    fn drop(self: Pin<&mut Self>) {
        // Every request holds a reference to this, so none is on the list. But whoever put the last one
        // there may still be about to ring the bell.
        rcu::synchronize_rcu();
    }
}

/// Requests that came back.
///
/// # Invariants
///
/// `next` is null, or the first link of a chain of requests that are owned by this.
pub struct Taken<T> {
    next: *mut kernel::bindings::llist_node,
    _requests: core::marker::PhantomData<KBox<Io<T>>>,
}

impl<T> Iterator for Taken<T> {
    type Item = KBox<Io<T>>;

    fn next(&mut self) -> Option<KBox<Io<T>>> {
        if self.next.is_null() {
            return None;
        }
        let link = self.next;
        // SAFETY: By the type invariant the link is valid.
        self.next = unsafe { (*link).next };
        // SAFETY: The link is embedded in an `Io<T>`.
        let raw = unsafe { kernel::container_of!(Opaque::cast_from(link), Io<T>, link) };
        // SAFETY: `submit` made it from a box; the invariant gives it to us.
        Some(unsafe { KBox::from_raw(raw.cast_mut()) })
    }
}

impl<T> Drop for Taken<T> {
    fn drop(&mut self) {
        for io in &mut *self {
            drop(io);
        }
    }
}
