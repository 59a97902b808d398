// SPDX-License-Identifier: GPL-2.0

//! An alarm: a doorbell that is rung after a while.

use crate::{
    bindings,
    doorbell::Doorbell, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::Delta,
    types::Opaque, //
};

/// Rings a doorbell once for each time it was set.
pub struct Alarm {
    inner: Pin<KBox<Inner>>,
    /// It was set, and [`Alarm::take`] has not found since that it rang.
    set: bool,
    /// The timer rings it.
    _bell: Arc<Doorbell>,
}

#[pin_data(PinnedDrop)]
struct Inner {
    #[pin]
    alarm: Opaque<bindings::xenbus_alarm>,
}

// SAFETY: The C part is a timer and an atomic.
unsafe impl Send for Inner {}

impl Alarm {
    /// An alarm that is not set.
    pub fn new(bell: Arc<Doorbell>) -> Result<Self> {
        let raw = bell.as_raw();
        let inner = KBox::pin_init(
            pin_init!(Inner {
                alarm <- Opaque::ffi_init(|alarm| {
                    // SAFETY: `alarm` is valid for the initialisation, and pinned; the bell lives as long
                    // as the alarm.
                    unsafe { bindings::xenbus_helper_alarm_init(alarm, raw) }
                }),
            }),
            GFP_KERNEL,
        )?;
        Ok(Self {
            inner,
            set: false,
            _bell: bell,
        })
    }

    /// Whether it is set, and what comes of it was not taken yet.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.set
    }

    /// Has the bell rung after `delay`, to a second; nothing changes while it is set.
    pub fn set(&mut self, delay: Delta) {
        self.set = true;
        // SAFETY: The alarm was initialised by `new`.
        unsafe {
            bindings::xenbus_helper_alarm_set(self.inner.alarm.get(), delay.as_millis() as c_ulong)
        };
    }

    /// Whether it rang the bell since the last call.
    pub fn take(&mut self) -> bool {
        // SAFETY: The alarm was initialised by `new`.
        let rang = unsafe { bindings::xenbus_helper_alarm_take(self.inner.alarm.get()) };
        self.set &= !rang;
        rang
    }
}

#[pinned_drop]
impl PinnedDrop for Inner {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The alarm was initialised; may sleep, as alarms are dropped by threads. Waits for a
        // timer that runs.
        unsafe { bindings::xenbus_helper_alarm_shutdown(self.alarm.get()) };
    }
}
