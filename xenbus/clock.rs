// SPDX-License-Identifier: GPL-2.0

//! A clock that is cheap to read: for measuring, never for deciding.
//!
//! It reads the processor's time stamp counter and scales it. Its times on two processors differ by less than
//! what is worth measuring, but they may differ: a time that ends before it began is none at all.
//!
//! C header: [`include/linux/sched/clock.h`](srctree/include/linux/sched/clock.h)

use core::num::NonZeroU64;

/// A point in time.
///
/// `Option<Instant>` takes no more room, for what is measured only now and then.
#[derive(Clone, Copy, Debug)]
pub struct Instant(NonZeroU64);

impl Instant {
    /// Now.
    #[inline]
    pub fn now() -> Self {
        // SAFETY: Takes no arguments, and may be called from anywhere.
        let nanoseconds = unsafe { crate::bindings::xenbus_helper_local_clock() };
        Self(NonZeroU64::new(nanoseconds).unwrap_or(NonZeroU64::MIN))
    }

    /// Nanoseconds since `earlier`; 0 if that is not earlier.
    #[inline]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}
