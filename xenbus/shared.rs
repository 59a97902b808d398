// SPDX-License-Identifier: GPL-2.0

//! A value that all devices of a driver share: a static under a lock.
//!
//! The kernel's locks have to be initialised in place, by whoever loads the module. This one is there from the
//! start. It is one for all such values, so it is for what is looked at rarely and briefly.

use crate::bindings;
use core::cell::UnsafeCell;
use kernel::prelude::*;

/// A value under the lock.
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: The value is used by one thread at a time, under the lock.
unsafe impl<T: Send> Sync for Shared<T> {}

/// The lock, held until this is dropped. It has what the thread's allocations were like before.
struct Locked(c_uint);

impl Locked {
    fn new() -> Self {
        // SAFETY: May sleep, as its callers are threads.
        Self(unsafe { bindings::xenbus_helper_shared_lock() })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: The lock is held by this thread, as references to this are not handed out.
        unsafe { bindings::xenbus_helper_shared_unlock(self.0) };
    }
}

impl<T> Shared<T> {
    /// For a static. It is never dropped.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Uses the value. It may sleep; `using` must not use another one.
    pub fn with<R>(&self, using: impl FnOnce(&mut T) -> R) -> R {
        let _locked = Locked::new();
        // SAFETY: The lock is held, and all who use the value hold it.
        using(unsafe { &mut *self.0.get() })
    }
}
