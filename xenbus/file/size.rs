// SPDX-License-Identifier: GPL-2.0

//! A file's size, which somebody else may change: the file system tells.

use super::File;
use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// What is called when a file may have another size.
pub trait Listener: Send + Sync + 'static {
    /// Runs where the file was changed, and must not sleep.
    fn resized(&self);
}

/// Watches a file's size until this is dropped.
///
/// # Invariants
///
/// While its `group` is not null, `raw` watches, and its `context` is `listener`.
#[pin_data(PinnedDrop)]
pub struct SizeWatch<L: Listener> {
    #[pin]
    raw: Opaque<bindings::xenbus_file_watch>,
    #[pin]
    listener: L,
}

// SAFETY: A watch may be ended from any thread.
unsafe impl<L: Listener> Send for SizeWatch<L> {}

impl<L: Listener> SizeWatch<L> {
    /// Starts to watch. The watch keeps the file system from being unmounted no more than `file` does.
    pub fn new(file: &File, listener: L) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            pin_init!(Self {
                raw <- Opaque::zeroed(),
                listener,
            }),
            GFP_KERNEL,
        )?;
        let context: *const L = &this.listener;
        let raw = this.raw.get();
        // INVARIANT: It watches unless it fails, and has no group then.
        //
        // SAFETY: The file is open. The context and `raw` are pinned until `drop` has ended the watch.
        to_result(unsafe {
            bindings::xenbus_helper_file_watch(
                raw,
                file.raw(),
                Some(Self::resized_callback),
                context.cast_mut().cast(),
            )
        })?;
        Ok(this)
    }

    extern "C" fn resized_callback(context: *mut c_void) {
        // SAFETY: The context is the listener that `new` passed, alive until the watch has ended.
        let listener = unsafe { &*context.cast::<L>() };
        listener.resized();
    }
}

#[pinned_drop]
impl<L: Listener> PinnedDrop for SizeWatch<L> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: `raw` watches, or was never started, which is nothing to end. The call waits for a callback that
        // runs.
        unsafe { bindings::xenbus_helper_file_unwatch(self.raw.get()) };
    }
}
