// SPDX-License-Identifier: GPL-2.0

//! One request to a disk, and where it is handed back.
//!
//! To a block device it goes as a bio, here; to a file, in `io/to_file.rs`.

mod to_file;

use super::{
    bdev::BlockDevice,
    Disk, //
};
use crate::{
    bindings,
    doorbell::Doorbell,
    file,
    grant::Mapping, //
};
use kernel::{
    alloc::{
        kvec::{
            DrainAll,
            PushError, //
        },
        Flags, //
    },
    page::{
        Page,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Full,
                Relaxed, //
            },
            AtomicFlag, //
        },
        rcu,
        Arc, //
    },
    types::Opaque, //
};
use xenbus_proto::blkif::SECTOR_SIZE;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Fills memory from the disk.
    Read,
    /// Writes memory to the disk.
    Write,
    /// Makes what was written durable, then writes the data, if there is any.
    Flush,
    /// Makes what was written durable, then writes the data so that it is durable too.
    Barrier,
    /// Tells the disk that what stands there is not needed.
    Discard,
    /// Has the disk destroy what stands there.
    SecureErase,
}

impl Operation {
    fn may_be_empty(self) -> bool {
        matches!(self, Self::Flush | Self::Barrier)
    }

    /// Whether it is about sectors only, and moves no data.
    fn has_no_data(self) -> bool {
        matches!(self, Self::Discard | Self::SecureErase)
    }

    fn flags(self) -> u32 {
        let write = bindings::XENBUS_REQ_OP_WRITE | bindings::XENBUS_REQ_SYNC;
        match self {
            Self::Read => bindings::XENBUS_REQ_OP_READ,
            // The guest's block layer has batched and sorted already: do not wait for more.
            Self::Write => write | bindings::XENBUS_REQ_IDLE,
            Self::Flush => write | bindings::XENBUS_REQ_PREFLUSH,
            Self::Barrier => write | bindings::XENBUS_REQ_PREFLUSH | bindings::XENBUS_REQ_FUA,
            Self::Discard => bindings::XENBUS_REQ_OP_DISCARD,
            Self::SecureErase => bindings::XENBUS_REQ_OP_SECURE_ERASE,
        }
    }
}

/// Whether the block layer may make one request of this and of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// It may. When one fails then, all that it was merged with fail too.
    Allowed,
    /// It is done alone, and fails alone.
    Never,
}

/// The room for one request to a disk, with the driver's own `payload`.
///
/// It is allocated once and used for many requests. Its memory is made up anew for each: of pages of our own
/// ([`Io::use_pages`]), which it keeps, or of pages of another domain's ([`Io::use_mappings`]), which are
/// taken out of it again when it is done.
///
/// # Invariants
///
/// - While it is submitted, the block layer owns it: all but the link is left alone until the completion has
///   put it on the list of `completions`.
/// - `vecs` are parts of `pages` or of `mappings`, `bytes` together, but for `missing` of them whose page is
///   null.
/// - The bio was initialised.
pub struct Io<T> {
    bio: Opaque<kernel::bindings::bio>,
    vecs: KVec<kernel::bindings::bio_vec>,
    bytes: u32,
    missing: usize,
    pages: KVec<Page>,
    mappings: KVec<Mapping>,
    link: Opaque<kernel::bindings::llist_node>,
    completions: Arc<Completions<T>>,
    to_file: file::Request<Self>,
    error: Result,
    /// The driver's own.
    pub payload: T,
}

// SAFETY: It is owned by one side at a time; the raw parts are only used by that side.
unsafe impl<T: Send> Send for Io<T> {}

impl<T: Send + 'static> Io<T> {
    /// Room for a request of up to `parts` parts to the disk of `completions`.
    pub fn new(
        completions: Arc<Completions<T>>,
        payload: T,
        parts: usize,
        flags: Flags,
    ) -> Result<KBox<Self>> {
        let io = KBox::new(
            Self {
                bio: Opaque::zeroed(),
                vecs: KVec::with_capacity(parts, flags)?,
                bytes: 0,
                missing: 0,
                pages: KVec::new(),
                mappings: KVec::new(),
                link: Opaque::uninit(),
                completions,
                to_file: file::Request::new(),
                error: Ok(()),
                payload,
            },
            flags,
        )?;
        let (bdev, table) = (core::ptr::null_mut(), core::ptr::null_mut());
        // INVARIANT: The bio is initialised here; it gets its disk and its table when it is submitted.
        //
        // SAFETY: The bio is ours, and stays in place in its box.
        unsafe { kernel::bindings::bio_init(io.bio.get(), bdev, table, 0, 0) };
        Ok(io)
    }

    /// Makes room for up to `parts` parts.
    #[inline]
    pub fn reserve(&mut self, parts: usize, flags: Flags) -> Result {
        make_room(&mut self.vecs, parts, flags)
    }

    /// Makes room for up to `parts` parts of pages that are mapped.
    #[inline]
    pub fn reserve_mappings(&mut self, parts: usize, flags: Flags) -> Result {
        self.reserve(parts, flags)?;
        make_room(&mut self.mappings, parts, flags)
    }

    /// The pages of our own. Data is packed in the first of them: all but the last are full.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The pages of our own, and the payload.
    pub fn pages_and_payload(&mut self) -> (&[Page], &mut T) {
        (&self.pages, &mut self.payload)
    }

    /// The contents of a page of our own, and the payload.
    pub fn contents_and_payload(&mut self, page: usize) -> Option<(&[u8], &mut T)> {
        let page = self.pages.get_mut(page)?.as_ptr();
        // SAFETY: The page is ours, and nobody uses it: not the block layer, by the type invariant, nor
        // Xen, since every batch of copies that borrows a page is over when the borrow ends.
        let bytes = unsafe {
            core::slice::from_raw_parts(bindings::xenbus_helper_page_address(page), PAGE_SIZE)
        };
        Some((bytes, &mut self.payload))
    }

    /// Adds a page of our own.
    pub fn add_page(&mut self, page: Page, flags: Flags) -> Result {
        Ok(self.pages.push(page, flags)?)
    }

    /// Takes a page of our own away. The request's memory has to be made up anew.
    pub fn take_page(&mut self) -> Option<Page> {
        self.forget();
        self.pages.pop()
    }

    /// The request has no memory, for the time being.
    fn forget(&mut self) {
        self.vecs.clear();
        self.bytes = 0;
        self.missing = 0;
    }

    /// Makes the first `bytes` bytes of our own pages the request's memory.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there are not as many, or no room for as many parts.
    pub fn use_pages(&mut self, bytes: u32) -> Result {
        self.forget();
        let mut left = bytes;
        for page in &self.pages {
            if left == 0 {
                break;
            }
            let len = left.min(PAGE_SIZE as u32);
            left = left.saturating_sub(len);
            // INVARIANT: The page is one of `pages`.
            self.vecs
                .push_within_capacity(part(page.as_ptr(), 0, len))
                .map_err(|_| EINVAL)?;
        }
        if left > 0 {
            return Err(EINVAL);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Makes the request's memory of pages that are mapped: of parts that [`Io::add_mapping`] adds.
    #[inline]
    pub fn use_mappings(&mut self) {
        self.forget();
    }

    /// Adds a part of a page to the request's memory, by its offset and length in bytes. If the page is not
    /// mapped yet, [`Io::put_mapping`] has to say later which it is.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no room for it ([`Io::reserve_mappings`]), or when it does not lie in a page.
    #[inline]
    pub fn add_mapping(&mut self, offset: u32, len: u32, mapping: Option<Mapping>) -> Result {
        if offset.saturating_add(len) as usize > PAGE_SIZE {
            return Err(EINVAL);
        }
        let page = match mapping {
            Some(mapping) => {
                let page = mapping.page();
                self.mappings
                    .push_within_capacity(mapping)
                    .map_err(|_| EINVAL)?;
                page
            }
            None => core::ptr::null_mut(),
        };
        // INVARIANT: The page is one of `mappings`, or null, and counted.
        self.vecs
            .push_within_capacity(part(page, offset, len))
            .map_err(|_| EINVAL)?;
        if page.is_null() {
            self.missing = self.missing.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_add(len);
        Ok(())
    }

    /// The next part from `from` on whose page is not known yet.
    pub fn next_missing(&self, from: usize) -> Option<usize> {
        let later = self.vecs.get(from..)?;
        let next = later.iter().position(|vec| vec.bv_page.is_null())?;
        from.checked_add(next)
    }

    /// Says which page a part of the request's memory lies in.
    ///
    /// # Errors
    ///
    /// Gives the mapping back when there is no such part, or its page is known.
    pub fn put_mapping(&mut self, part: usize, mapping: Mapping) -> Result<(), Mapping> {
        let page = mapping.page();
        let vec = match self.vecs.get_mut(part) {
            Some(vec) if vec.bv_page.is_null() => vec,
            _ => return Err(mapping),
        };
        self.mappings
            .push_within_capacity(mapping)
            .map_err(|PushError(mapping)| mapping)?;
        // INVARIANT: The page is one of `mappings`.
        vec.bv_page = page;
        self.missing = self.missing.saturating_sub(1);
        Ok(())
    }

    /// Takes the mappings out. The request's memory has to be made up anew.
    #[inline]
    pub fn take_mappings(&mut self) -> DrainAll<'_, Mapping> {
        self.forget();
        self.mappings.drain_all()
    }

    /// Makes the request about `bytes` bytes of the disk, and no memory.
    pub fn use_nothing(&mut self, bytes: u32) {
        self.forget();
        self.bytes = bytes;
    }

    /// Hands the request to the disk: its memory, at `sector` (of 512 bytes).
    ///
    /// It comes back through its [`Completions`], perhaps before this returns. Its memory stays made up, so
    /// it can be submitted again.
    ///
    /// # Errors
    ///
    /// Gives the request back when the disk could not make sense of it: it is not in whole sectors, or is
    /// nothing though the operation needs data; or it is to be written to a disk that is read-only.
    pub fn submit(
        self: KBox<Self>,
        operation: Operation,
        sector: u64,
        merging: Merging,
    ) -> Result<(), KBox<Self>> {
        let whole = self.bytes % SECTOR_SIZE == 0;
        let makes_sense = match self.bytes {
            0 => operation.may_be_empty(),
            _ => operation.has_no_data() == self.vecs.is_empty(),
        };
        let writes = self.bytes > 0 && operation != Operation::Read;
        let refused = writes && self.completions.disk.read_only();
        if !whole || !makes_sense || self.missing > 0 || refused {
            return Err(self);
        }
        let raw = KBox::into_raw(self);
        // The disk stays, whatever becomes of the request: who submits owns the list too.
        //
        // SAFETY: `raw` was a box: valid, and ours until it is submitted.
        match unsafe { &*(*raw).completions.disk } {
            // SAFETY: As above; it is given away.
            Disk::Device(device) => unsafe {
                Self::submit_to_device(raw, device, operation, sector, merging);
            },
            // SAFETY: As above.
            Disk::File(file) => unsafe { Self::submit_to_file(raw, file, operation, sector) },
        }
        Ok(())
    }

    /// Hands the request to the block layer, whose it is then.
    ///
    /// # Safety
    ///
    /// `raw` was a box, and is given away.
    #[inline]
    unsafe fn submit_to_device(
        raw: *mut Self,
        device: &BlockDevice,
        operation: Operation,
        sector: u64,
        merging: Merging,
    ) {
        let mut flags = operation.flags();
        if merging == Merging::Never {
            flags |= bindings::XENBUS_REQ_NOMERGE;
        }
        // SAFETY: It is ours until it is submitted.
        let io = unsafe { &*raw };
        let bio = io.bio.get();
        // SAFETY: By the type invariant the bio was initialised, and all parts are owned by `io` until the
        // completion.
        unsafe {
            bindings::xenbus_helper_bio_rearm(
                bio,
                device.bdev(),
                flags,
                sector,
                io.bytes,
                io.vecs.as_ptr().cast_mut(),
                io.vecs.len() as c_ushort,
            )
        };
        // SAFETY: The bio is ours.
        unsafe { (*bio).bi_end_io = Some(Self::end_callback) };
        // SAFETY: As above.
        unsafe { (*bio).bi_private = raw.cast() };
        // SAFETY: The bio is complete. From here on the block layer owns it, and `raw`.
        unsafe { kernel::bindings::submit_bio_noacct(bio) };
    }

    /// How the request ended. Errors of the disk come as their errno.
    pub fn result(&self) -> Result {
        self.error
    }

    /// Called by the block layer when the bio is done, in any context.
    extern "C" fn end_callback(bio: *mut kernel::bindings::bio) {
        // SAFETY: `submit` has set it to the request the bio is part of.
        let raw = unsafe { (*bio).bi_private }.cast::<Self>();

        // SAFETY: The bio is done.
        let errno = unsafe { bindings::xenbus_helper_bio_status_to_errno(bio) };
        // SAFETY: The completion owns the request now.
        unsafe { (*raw).error = kernel::error::to_result(errno) };

        // SAFETY: As above.
        unsafe { Self::hand_back(raw) };
    }

    /// Puts a request that is done on the list.
    ///
    /// # Safety
    ///
    /// `raw` was a box, and is given away.
    #[inline]
    unsafe fn hand_back(raw: *mut Self) {
        // The worker may free the request, and with it the last reference to the list, as soon as it is on
        // it: `Completions::drop` waits for this guard.
        let _guard = rcu::read_lock();
        // SAFETY: `raw` is valid until it is on the list, the list until the guard is dropped.
        let completions: *const Completions<T> = unsafe { &*(*raw).completions };
        // SAFETY: As above.
        unsafe { (*completions).push(raw) };
    }
}

impl<T> Drop for Io<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the bio was initialised; it is not submitted, since it has an owner.
        unsafe { kernel::bindings::bio_uninit(self.bio.get()) };
    }
}

/// Sees to it that a list has room for `len` elements in all.
#[inline]
fn make_room<E>(list: &mut KVec<E>, len: usize, flags: Flags) -> Result {
    if len <= list.capacity() {
        return Ok(());
    }
    Ok(list.reserve(len.saturating_sub(list.len()), flags)?)
}

/// An entry of a bio's table.
#[inline]
fn part(page: *mut kernel::bindings::page, offset: u32, len: u32) -> kernel::bindings::bio_vec {
    kernel::bindings::bio_vec {
        bv_page: page,
        bv_len: len,
        bv_offset: offset,
    }
}

/// Where the requests to one disk come back, each once.
///
/// The list has no lock: completions are put on it in interrupts. Its doorbell is rung for the first one
/// on an empty list, if somebody listens.
#[pin_data(PinnedDrop)]
pub struct Completions<T> {
    disk: Arc<Disk>,
    list: Opaque<kernel::bindings::llist_head>,
    bell: Arc<Doorbell>,
    listening: AtomicFlag,
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
                listening: AtomicFlag::new(true),
                _requests: core::marker::PhantomData,
            }),
            GFP_KERNEL,
        )
    }

    fn push(&self, raw: *mut Io<T>) {
        // SAFETY: `raw` is valid, and owned by the caller.
        let link = unsafe { (*raw).link.get() };
        // SAFETY: The link is on no list. The caller gives the request away.
        let first = unsafe { bindings::xenbus_helper_llist_add(link, self.list.get()) };
        if first && self.listening.load(Relaxed) {
            self.bell.ring();
        }
    }

    /// The owner is about to look for itself: the bell need not be rung. Most disks without a queue of their
    /// own are done with a request before it is submitted.
    #[inline]
    pub fn look(&self) {
        self.listening.store(false, Relaxed);
    }

    /// The owner is about to wait for the bell. Returns whether there is nothing on the list by now.
    ///
    /// Both sides order their store before their load: either the bell is rung, or this returns false.
    #[inline]
    pub fn listen(&self) -> bool {
        self.listening.xchg(true, Full);
        self.is_empty()
    }

    /// Whether nothing came back.
    #[inline]
    fn is_empty(&self) -> bool {
        // SAFETY: The list is valid; the read is volatile.
        unsafe { (&raw const (*self.list.get()).first).read_volatile() }.is_null()
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

impl<T> Taken<T> {
    fn pop(&mut self) -> Option<KBox<Io<T>>> {
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

impl<T> Iterator for Taken<T> {
    type Item = KBox<Io<T>>;

    #[inline]
    fn next(&mut self) -> Option<KBox<Io<T>>> {
        self.pop()
    }
}

impl<T> Drop for Taken<T> {
    fn drop(&mut self) {
        while let Some(io) = self.pop() {
            drop(io);
        }
    }
}
