// SPDX-License-Identifier: GPL-2.0

//! A doorbell: how a thread learns that there is work for it.

use crate::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// One thread waits; anyone rings, also from an interrupt.
///
/// Rings are not counted: the thread looks for all its work after each wait. A ring that comes while it
/// works is kept, and the next wait returns at once. What was written before [`Doorbell::ring`] is seen
/// after the [`Doorbell::wait`] that it ends.
#[pin_data]
pub struct Doorbell {
    #[pin]
    bell: Opaque<bindings::xenbus_doorbell>,
}

// SAFETY: The C part is a wait queue and an atomic.
unsafe impl Send for Doorbell {}
// SAFETY: The C part is a wait queue and an atomic.
unsafe impl Sync for Doorbell {}

impl Doorbell {
    /// A doorbell that nobody has rung.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            bell <- Opaque::ffi_init(|bell| {
                // SAFETY: `bell` is valid for the initialisation, and pinned.
                unsafe { bindings::xenbus_helper_doorbell_init(bell) }
            }),
        })
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::xenbus_doorbell {
        self.bell.get()
    }

    /// Ends the wait, or the next one.
    pub fn ring(&self) {
        // SAFETY: The doorbell was initialised by `new`.
        unsafe { bindings::xenbus_helper_doorbell_ring(self.bell.get()) };
    }

    /// Whether a wait would return at once.
    pub fn is_rung(&self) -> bool {
        // SAFETY: The doorbell was initialised by `new`.
        unsafe { bindings::xenbus_helper_doorbell_rung(self.bell.get()) }
    }

    /// Sleeps until somebody has rung since the last wait.
    pub fn wait(&self) {
        // SAFETY: The doorbell was initialised by `new`; may sleep, as its callers are threads.
        unsafe { bindings::xenbus_helper_doorbell_wait(self.bell.get()) };
    }
}
