// SPDX-License-Identifier: GPL-2.0

//! Disks whose device another disk has: each is tried again when that one lets go of it.
//!
//! It happens without anybody's fault: a guest is destroyed and made anew, and its old disk still waits
//! for requests that the device is slow to finish.

use crate::vbd::Vbd;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use xenbus::shared::Shared;
use xenbus_proto::device::DeviceNumber;

static WAITING: Shared<Waiting> = Shared::new(Waiting {
    released: 0,
    disks: KVec::new(),
});

struct Waiting {
    /// How many devices were let go of so far.
    released: u64,
    disks: KVec<Waiter>,
}

struct Waiter {
    device: DeviceNumber,
    vbd: Arc<Vbd>,
}

/// A point in time, in devices that had been let go of.
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(WAITING.with(|waiting| waiting.released))
    }
}

/// `vbd` could not have `device`: it is tried again when another disk lets go of it, or at once if one did
/// since `before`, which is when it was tried.
pub(crate) fn wait(vbd: &Arc<Vbd>, device: DeviceNumber, before: &Moment) {
    forget(vbd);
    let waits = WAITING.with(|waiting| {
        let vbd = vbd.clone();
        // Without memory for it, it is tried when the toolstack names it again.
        waiting.released == before.0
            && waiting
                .disks
                .push(Waiter { device, vbd }, GFP_KERNEL)
                .is_ok()
    });
    if !waits {
        vbd.device_was_named();
    }
}

/// A disk let go of `device`.
pub(crate) fn released(device: DeviceNumber) {
    WAITING.with(|waiting| waiting.released = waiting.released.wrapping_add(1));
    while let Some(waiter) = take(|waiter| waiter.device == device) {
        waiter.vbd.device_was_named();
    }
}

/// `vbd` does not wait any more.
pub(crate) fn forget(vbd: &Arc<Vbd>) {
    while take(|waiter| Arc::ptr_eq(&waiter.vbd, vbd)).is_some() {}
}

/// Takes one out. It is dropped without the lock: a disk's end may need it.
fn take(which: impl Fn(&Waiter) -> bool) -> Option<Waiter> {
    WAITING.with(|waiting| {
        let place = waiting.disks.iter().position(which)?;
        let waiter = waiting.disks.remove(place).ok();
        if waiting.disks.is_empty() {
            // A static is not dropped: nothing must be left in it.
            waiting.disks = KVec::new();
        }
        waiter
    })
}
