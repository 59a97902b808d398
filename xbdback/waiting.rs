// SPDX-License-Identifier: GPL-2.0

//! Disks whose device is in use: they are tried again when another disk lets go of its own.
//!
//! It happens without anybody's fault: a guest is destroyed and made anew, and its old disk still waits
//! for requests that the device is slow to finish.

use crate::vbd::Vbd;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use xenbus::shared::Shared;

static WAITING: Shared<Waiting> = Shared::new(Waiting {
    released: 0,
    disks: KVec::new(),
});

struct Waiting {
    /// How many devices were let go of so far.
    released: u64,
    disks: KVec<Arc<Vbd>>,
}

/// A point in time, in devices that had been let go of.
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(WAITING.with(|waiting| waiting.released))
    }
}

/// The device of `vbd` was in use: it is tried again when another disk lets go of one, or at once if one did
/// since `before`, which is when it was tried.
pub(crate) fn wait(vbd: &Arc<Vbd>, before: &Moment) {
    forget(vbd);
    let again = WAITING.with(|waiting| {
        let again = waiting.released != before.0;
        if !again {
            // Without memory for it, it is tried when the toolstack names it again.
            let _ = waiting.disks.push(vbd.clone(), GFP_KERNEL);
        }
        again
    });
    if again {
        vbd.device_was_named();
    }
}

/// A disk let go of its device.
pub(crate) fn released() {
    let disks = WAITING.with(|waiting| {
        waiting.released = waiting.released.wrapping_add(1);
        core::mem::replace(&mut waiting.disks, KVec::new())
    });
    for vbd in &disks {
        vbd.device_was_named();
    }
}

/// `vbd` does not wait any more.
pub(crate) fn forget(vbd: &Arc<Vbd>) {
    // It is dropped without the lock: a disk's end may need it.
    let _forgotten = WAITING.with(|waiting| {
        let place = waiting.disks.iter().position(|one| Arc::ptr_eq(one, vbd))?;
        let forgotten = waiting.disks.remove(place).ok();
        if waiting.disks.is_empty() {
            // A static is not dropped: nothing must be left in it.
            waiting.disks = KVec::new();
        }
        forgotten
    });
}
