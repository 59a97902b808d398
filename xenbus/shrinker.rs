// SPDX-License-Identifier: GPL-2.0

//! A shrinker: how a thread learns that memory is short.
//!
//! The kernel asks in whatever thread wants memory, which must not wait for ours. So it is told how much there
//! is to be had as the thread said last, and the thread's doorbell is rung; the thread gives it back.
//!
//! C header: [`include/linux/shrinker.h`](srctree/include/linux/shrinker.h)

use crate::{
    bindings,
    doorbell::Doorbell, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// Rings a doorbell when memory is short and there is some to give back.
pub struct Shrinker {
    inner: Pin<KBox<Inner>>,
    /// The kernel rings it.
    _bell: Arc<Doorbell>,
}

#[pin_data(PinnedDrop)]
struct Inner {
    #[pin]
    shrinker: Opaque<bindings::xenbus_shrinker>,
}

// SAFETY: The C part is a pointer to a shrinker, which any thread may free, and two numbers.
unsafe impl Send for Inner {}

impl Shrinker {
    /// A shrinker for a thread that has nothing to give back yet.
    pub fn new(bell: Arc<Doorbell>) -> Result<Self> {
        let raw = bell.as_raw();
        let inner = KBox::try_pin_init(
            try_pin_init!(Inner {
                shrinker <- Opaque::try_ffi_init(|shrinker| {
                    // SAFETY: `shrinker` is valid for the initialisation, and pinned; the bell lives as
                    // long as the shrinker.
                    kernel::error::to_result(unsafe {
                        bindings::xenbus_helper_shrinker_init(shrinker, raw)
                    })
                }),
            }? Error),
            GFP_KERNEL,
        )?;
        Ok(Self { inner, _bell: bell })
    }

    /// So many pages could be given back now.
    #[inline]
    pub fn set_spare(&self, pages: usize) {
        // SAFETY: The shrinker was initialised by `new`.
        let spare = unsafe { &raw mut (*self.inner.shrinker.get()).spare };
        // SAFETY: As above; a number that others read, and set to zero.
        unsafe { spare.write_volatile(pages) };
    }

    /// Whether it rang the bell since the last call.
    #[inline]
    pub fn take(&self) -> bool {
        // SAFETY: The shrinker was initialised by `new`.
        let rang = unsafe { &raw mut (*self.inner.shrinker.get()).rang };
        // SAFETY: As above; the wait for the bell orders the read.
        if !unsafe { rang.read_volatile() } {
            return false;
        }
        // SAFETY: As above.
        unsafe { rang.write_volatile(false) };
        true
    }
}

#[pinned_drop]
impl PinnedDrop for Inner {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The shrinker was initialised; may sleep, as shrinkers are dropped by threads. Waits for who
        // is asking.
        unsafe { bindings::xenbus_helper_shrinker_free(self.shrinker.get()) };
    }
}
