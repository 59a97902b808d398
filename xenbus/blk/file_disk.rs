// SPDX-License-Identifier: GPL-2.0

//! Disks of this kernel that we make, each on a file.
//!
//! A [`FileDisk`] is made, shown under a name and a number, given a file, and told of another size of it; the file is
//! taken away again, and the disk deleted. Its [`Unit`] is asked what programs ask of it by ioctls. Requests go from
//! the block layer to the file without it, as in `file_disk/request.rs`.
//!
//! [`Numbers`] are the device numbers of all disks of a kind. When a node is opened that has no disk yet, they ask for
//! one.

mod numbers;
mod request;

pub use numbers::{
    Numbers,
    Range, //
};

use crate::{
    bindings,
    file::File, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    str::CStr,
    sync::{
        Arc,
        ArcBorrow, //
    },
    types::ForeignOwnable, //
};
use xenbus_proto::blkif::whole_sectors;

/// What a disk belongs to.
pub trait Unit: Send + Sync + Sized + 'static {
    /// An ioctl of somebody who has the disk open, to write it if `writes`. `ENOTTY` if it is none of ours.
    fn control(unit: ArcBorrow<'_, Self>, writes: bool, request: u32, argument: usize) -> Result;

    /// Nobody has the disk open any more. Must not wait for the disk, nor for who waits for it.
    fn closed(unit: Arc<Self>);

    /// A node of this number was opened, and there is no disk: the time to make one.
    fn wanted(number: u32);
}

/// A disk.
///
/// # Invariants
///
/// - `raw` is a disk that this owns.
/// - It is served by `file`, or by nothing.
pub struct FileDisk<U: Unit> {
    raw: NonNull<bindings::xenbus_file_disk>,
    file: Option<Arc<File>>,
    deleted: bool,
    _unit: PhantomData<fn() -> Arc<U>>,
}

// SAFETY: A disk may be used from any thread.
unsafe impl<U: Unit> Send for FileDisk<U> {}

impl<U: Unit> FileDisk<U> {
    /// A disk that nobody sees yet.
    pub fn new() -> Result<Self> {
        let pdu_size = request::pdu_size()?;
        // SAFETY: That is what `request` puts there.
        let raw = from_err_ptr(unsafe { bindings::xenbus_helper_file_disk_new(pdu_size) })?;
        // INVARIANT: It is new.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
            file: None,
            deleted: false,
            _unit: PhantomData,
        })
    }

    /// Shows it: from here on programs may open it, and `unit` is asked. A disk is shown once.
    pub fn show(&mut self, name: &CStr, range: Range, number: u32, unit: Arc<U>) -> Result {
        let owner = unit.into_foreign();
        let methods = bindings::xenbus_file_disk_methods {
            module: range.module.as_ptr(),
            name: range.name.as_char_ptr(),
            control: Some(Self::control_callback),
            closed: Some(Self::closed_callback),
            free: Some(Self::free_callback),
        };
        // SAFETY: The disk is ours, and not shown. The methods are for an owner that is a `U`, of which a reference is
        // given away.
        let shown = to_result(unsafe {
            bindings::xenbus_helper_file_disk_show(
                self.raw.as_ptr(),
                name.as_char_ptr(),
                range.major,
                number,
                &methods,
                owner,
            )
        });
        if shown.is_err() {
            // SAFETY: Nothing was shown, so the reference is ours as before.
            drop(unsafe { Arc::<U>::from_foreign(owner) });
        }
        shown
    }

    /// Fails when the disk is deleted.
    fn check(&self) -> Result {
        match self.deleted {
            true => Err(ENXIO),
            false => Ok(()),
        }
    }

    /// Has the file serve the disk, which the caller has open. It has so many `bytes`, in sectors of `secsize`.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it has one, `ENXIO` when the disk is deleted, `ELOOP` when the file lies on this disk, or on too
    /// many disks like it.
    pub fn serve(&mut self, file: &Arc<File>, bytes: u64, secsize: u32) -> Result {
        self.check()?;
        if self.file.is_some() {
            return Err(EBUSY);
        }
        let facts = bindings::xenbus_file_disk_facts {
            sectors: whole_sectors(bytes),
            logical_block_size: secsize,
            physical_block_size: file.block_size(),
            memory_unit: file.direct_memory_unit(),
            can_punch: file.can_punch(),
            read_only: !file.writable(),
        };
        let server: *const File = &**file;
        // SAFETY: The disk is ours, shown, not deleted, and has no file. This one stays until it is taken away.
        to_result(unsafe {
            bindings::xenbus_helper_file_disk_serve(
                self.raw.as_ptr(),
                file.raw(),
                server.cast(),
                &facts,
            )
        })?;
        // INVARIANT: It is served by this from here on.
        self.file = Some(file.clone());
        Ok(())
    }

    /// Whether a file serves it.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Takes the file away. Nobody can open the disk while this waits for what is still to be written.
    ///
    /// # Errors
    ///
    /// `ENXIO` when there is none, `EBUSY` when somebody has the disk open besides the caller.
    pub fn clear(&mut self) -> Result {
        self.check()?;
        if self.file.is_none() {
            return Err(ENXIO);
        }
        // SAFETY: The disk is ours, shown and not deleted, and has a file.
        to_result(unsafe { bindings::xenbus_helper_file_disk_clear(self.raw.as_ptr()) })?;
        // INVARIANT: It is not served any more.
        self.file = None;
        Ok(())
    }

    /// Makes it known that the disk has this size.
    pub fn resize(&mut self, bytes: u64) {
        if self.check().is_ok() {
            let sectors = whole_sectors(bytes);
            // SAFETY: The disk is ours, shown and not deleted.
            unsafe { bindings::xenbus_helper_file_disk_resize(self.raw.as_ptr(), sectors) };
        }
    }

    /// Whether nobody has it open. One that is deleted is of no use.
    pub fn is_unused(&self) -> bool {
        // SAFETY: The disk is ours, and not deleted.
        let is_open = || unsafe { bindings::xenbus_helper_file_disk_is_open(self.raw.as_ptr()) };
        self.check().is_ok() && !is_open()
    }

    /// Deletes the disk if nobody has it open.
    ///
    /// # Errors
    ///
    /// `EBUSY` when somebody has, `ENODEV` when it is deleted.
    pub fn delete_unused(&mut self) -> Result {
        self.check().map_err(|_| ENODEV)?;
        // SAFETY: The disk is ours, and not deleted.
        to_result(unsafe { bindings::xenbus_helper_file_disk_retire(self.raw.as_ptr()) })?;
        self.delete();
        Ok(())
    }

    /// Deletes the disk, whoever has it open: they get errors from here on. What is in flight is waited for.
    pub fn delete(&mut self) {
        if !self.deleted {
            self.deleted = true;
            // SAFETY: The disk is ours, and not deleted.
            unsafe { bindings::xenbus_helper_file_disk_delete(self.raw.as_ptr()) };
            // INVARIANT: It is not served any more.
            self.file = None;
        }
    }

    /// Called by the block layer for ioctls, by who has the disk open.
    extern "C" fn control_callback(
        owner: *mut c_void,
        writes: bool,
        request: c_uint,
        argument: c_ulong,
    ) -> c_int {
        // SAFETY: `show` gave the disk a reference, which it has until it is freed.
        let unit = unsafe { Arc::<U>::borrow(owner) };
        match U::control(unit, writes, request, argument) {
            Ok(()) => 0,
            Err(error) => error.to_errno(),
        }
    }

    /// Called by the block layer when nobody has the disk open any more.
    extern "C" fn closed_callback(owner: *mut c_void) {
        // SAFETY: As above.
        let unit = unsafe { Arc::<U>::borrow(owner) };
        U::closed(unit.into());
    }

    /// Called by the block layer when it forgets the disk.
    extern "C" fn free_callback(owner: *mut c_void) {
        // SAFETY: It was given away by `show`, and nobody uses it any more.
        drop(unsafe { Arc::<U>::from_foreign(owner) });
    }
}

impl<U: Unit> Drop for FileDisk<U> {
    fn drop(&mut self) {
        self.delete();
        // SAFETY: The disk is ours, and deleted. The block layer has forgotten it: until then it has a reference to
        // what this is a part of.
        unsafe { bindings::xenbus_helper_file_disk_free(self.raw.as_ptr()) };
    }
}
