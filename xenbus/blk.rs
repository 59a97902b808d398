// SPDX-License-Identifier: GPL-2.0

//! Disks of this kernel, for a driver that serves them to another domain; and in [`file_disk`], disks that we make.
//!
//! [`Disk`] is an open block device, or a file, with the claim that keeps others off it. An [`Io`] is the room
//! for one request to it; it is moved into the block layer or the file system when it is submitted and comes
//! back through [`Completions`], so at any time one side owns it.

mod bdev;
mod disk;
mod io;

pub mod file_disk;

pub use bdev::{
    BlockDevice,
    Claim, //
};
pub use disk::Disk;
pub use io::{
    Completions,
    Io,
    Merging,
    Operation, //
};

use kernel::types::Opaque;

/// The most requests that the block layer prepares for at once.
const MAX_AT_ONCE: usize = 32;

/// Runs `submit`, and lets the block layer see everything it submits at once: about `count` requests.
pub fn plugged<R>(count: usize, submit: impl FnOnce() -> R) -> R {
    let plug = Opaque::<kernel::bindings::blk_plug>::uninit();
    // SAFETY: The plug is on this stack and does not move until it is finished below.
    unsafe { kernel::bindings::blk_start_plug(plug.get()) };
    // As many tags are allocated at once.
    //
    // SAFETY: The plug was initialised above, and nobody else uses it yet.
    unsafe { (*plug.get()).nr_ios = u16::try_from(count.clamp(1, MAX_AT_ONCE)).unwrap_or(1) };
    let result = submit();
    // SAFETY: Started above, by the same task.
    unsafe { kernel::bindings::blk_finish_plug(plug.get()) };
    result
}
