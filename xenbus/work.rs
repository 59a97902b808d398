// SPDX-License-Identifier: GPL-2.0

//! The work queue on which the slow work of drivers runs.
//!
//! Anything that may wait for a guest or for a disk is put here, so that the xenwatch thread, which serves
//! every device of the system, never waits. One slow device holds up no other: the queue has no order, and
//! each item gets a thread of its own.

use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*,
    sync::SetOnce,
    workqueue::Queue, //
};

static QUEUE: SetOnce<&'static Queue> = SetOnce::new();

/// The queue. `None` only while `xenbus-rs` itself is loaded or unloaded.
pub fn queue() -> Option<&'static Queue> {
    QUEUE.as_ref().copied()
}

/// Owns the queue: held by the `xenbus-rs` module.
///
/// # Invariants
///
/// `queue` is a work queue made by `alloc_workqueue`, destroyed when this is dropped.
pub(crate) struct Owner {
    queue: NonNull<bindings::workqueue_struct>,
}

// SAFETY: Work queues may be used and destroyed from any thread.
unsafe impl Send for Owner {}
// SAFETY: `Owner` has no methods on a shared reference.
unsafe impl Sync for Owner {}

impl Owner {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The name has no conversions, so it takes no arguments.
        let raw = unsafe {
            bindings::alloc_workqueue_noprof(
                c"xenbus-rs".as_char_ptr(),
                crate::bindings::XENBUS_WQ_UNBOUND,
                0,
            )
        };
        let queue = NonNull::new(raw).ok_or(ENOMEM)?;

        // SAFETY: The queue lives until this module is unloaded, which cannot be while a module that could
        // call `queue()` is loaded.
        QUEUE.populate(unsafe { Queue::from_raw(queue.as_ptr()) });
        // INVARIANT: The queue is new.
        Ok(Self { queue })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. The call waits for the work that is left.
        unsafe { bindings::destroy_workqueue(self.queue.as_ptr()) };
    }
}

/// Waits, when dropped, for all work on the queue: a driver's module has to stay while its work runs.
pub struct Drained(());

impl Drained {
    /// Starts to exist; nothing else.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(())
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(queue) = queue() else { return };
        let raw: *const Queue = queue;
        // A flush waits for what was queued before it began. The last work of a device may be queued while
        // the last but one runs, by a thread that this one waits for; but not later.
        for _ in 0..2 {
            // SAFETY: `Queue` is a transparent wrapper of the C type, and the queue is alive.
            unsafe { bindings::__flush_workqueue(raw.cast_mut().cast()) };
        }
    }
}
