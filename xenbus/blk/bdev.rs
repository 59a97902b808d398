// SPDX-License-Identifier: GPL-2.0

//! An open block device, and the claim on it.

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*, //
};
use xenbus_proto::device::DeviceNumber;

/// Who else may use a disk that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody: neither a mount, nor another disk of a guest.
    Exclusive,
    /// Others that claim it like this, to read. No mount.
    Readers,
    /// Others that claim it like this; and if something else has claimed the disk, that as well.
    Shared,
}

/// Holders that several opens have in common; only their addresses matter.
static READERS: u32 = 1;
static SHARERS: u32 = 2;

/// An open block device. It is closed, and others may claim it, when this is dropped.
///
/// # Invariants
///
/// `file` is a file of the block device `bdev`, of which this owns a reference, opened with the holder
/// that `claim` says.
pub struct BlockDevice {
    file: NonNull<kernel::bindings::file>,
    bdev: NonNull<kernel::bindings::block_device>,
    writable: bool,
    /// The holder of an exclusive claim: its address is like no other.
    _holder: KBox<u32>,
}

// SAFETY: A file may be used and closed from any thread.
unsafe impl Send for BlockDevice {}
// SAFETY: The methods on a shared reference only read what the block layer lets be read at any time.
unsafe impl Sync for BlockDevice {}

impl BlockDevice {
    /// Opens the block device with this number, to be written when `write`.
    ///
    /// May wait for the device: not to be called in xenwatch.
    ///
    /// # Errors
    ///
    /// `ENXIO` when there is no such device, `EBUSY` when somebody has a claim that excludes this one, `EROFS`
    /// when it should be written and cannot be, and whatever the device's driver says.
    pub fn open(device: DeviceNumber, write: bool, claim: Claim) -> Result<Self> {
        // `MKDEV`: the kernel's own encoding of a device number.
        let device = (device.major << 20) | device.minor;
        let own = KBox::new(0u32, GFP_KERNEL)?;
        let holder: *const u32 = match claim {
            Claim::Exclusive => &*own,
            Claim::Readers => &raw const READERS,
            Claim::Shared => &raw const SHARERS,
        };
        let mut mode = bindings::XENBUS_BLK_OPEN_READ;
        if write {
            mode |= bindings::XENBUS_BLK_OPEN_WRITE;
        }

        let open = |holder: *const u32| {
            // SAFETY: The holder is compared, never followed: there are no holder operations. It outlives
            // the claim: it is static, or owned by the `BlockDevice`.
            from_err_ptr(unsafe {
                kernel::bindings::bdev_file_open_by_dev(
                    device,
                    mode,
                    holder.cast_mut().cast(),
                    core::ptr::null(),
                )
            })
        };
        let file = match open(holder) {
            Err(e) if e == EBUSY && claim == Claim::Shared => open(core::ptr::null()),
            other => other,
        }?;

        // SAFETY: The file is a block device's.
        let bdev = unsafe { bindings::xenbus_helper_file_bdev(file) };
        // INVARIANT: The file was opened above.
        let device = Self {
            file: NonNull::new(file).ok_or(ENXIO)?,
            bdev: NonNull::new(bdev).ok_or(ENXIO)?,
            writable: write,
            _holder: own,
        };
        if write && device.read_only() {
            return Err(EROFS);
        }
        Ok(device)
    }

    pub(super) fn bdev(&self) -> *mut kernel::bindings::block_device {
        self.bdev.as_ptr()
    }

    /// The device's name without `/dev/`, e.g. `sda3` or `dm-2`, in `buffer`.
    pub fn name<'a>(&self, buffer: &'a mut [u8; 32]) -> &'a str {
        // SAFETY: By the type invariant the device is open; the buffer has the size that is passed.
        let len = unsafe {
            bindings::xenbus_helper_bdev_name(self.bdev(), buffer.as_mut_ptr(), buffer.len())
        };
        usize::try_from(len)
            .ok()
            .and_then(|len| buffer.get(..len))
            .and_then(|name| core::str::from_utf8(name).ok())
            .unwrap_or("?")
    }

    /// The capacity in sectors of 512 bytes, as it is now.
    pub fn sectors(&self) -> u64 {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_sectors(self.bdev()) }
    }

    /// Bytes of the smallest unit that can be read or written.
    pub fn logical_block_size(&self) -> u32 {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_logical_block_size(self.bdev()) }
    }

    /// Bytes of the smallest unit that is written without reading first.
    pub fn physical_block_size(&self) -> u32 {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_physical_block_size(self.bdev()) }
    }

    /// Whether the device has a cache that loses what was written when the power goes.
    pub fn write_cache(&self) -> bool {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_write_cache(self.bdev()) }
    }

    /// Whether it can be told that sectors are not needed.
    pub fn can_discard(&self) -> bool {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_max_discard_sectors(self.bdev()) > 0 }
    }

    /// Whether it can be told to destroy what stands in sectors.
    pub fn can_secure_erase(&self) -> bool {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_max_secure_erase_sectors(self.bdev()) > 0 }
    }

    /// The unit in which it discards, in bytes.
    pub fn discard_granularity(&self) -> u32 {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_discard_granularity(self.bdev()) }
    }

    /// Where the first such unit starts, in bytes.
    pub fn discard_alignment(&self) -> u32 {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_discard_alignment(self.bdev()) }
    }

    /// Whether writes are refused: it was opened like that, or the device has become read-only.
    pub fn read_only(&self) -> bool {
        // SAFETY: By the type invariant the device is open.
        !self.writable || unsafe { bindings::xenbus_helper_bdev_read_only(self.bdev()) }
    }

    /// Whether the medium can be taken out.
    pub fn removable(&self) -> bool {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_removable(self.bdev()) }
    }

    /// Whether it is a CD drive.
    pub fn cdrom(&self) -> bool {
        // SAFETY: By the type invariant the device is open.
        unsafe { bindings::xenbus_helper_bdev_cdrom(self.bdev()) }
    }
}

impl Drop for BlockDevice {
    fn drop(&mut self) {
        // The file is closed here and now, not when this thread is next idle: whoever asked for the device
        // back finds it free.
        //
        // SAFETY: By the type invariant the reference is ours. Disks are dropped by kernel threads.
        unsafe { kernel::bindings::__fput_sync(self.file.as_ptr()) };
    }
}
