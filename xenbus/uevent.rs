// SPDX-License-Identifier: GPL-2.0

//! Changes of this kernel's block devices.
//!
//! The kernel tells nobody but user space that a disk has got another size: by a uevent. So this listens
//! where user space does.

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};
use xenbus_proto::uevent::is_block_change;

/// Bytes of the longest uevent: its environment (`UEVENT_BUFFER_SIZE`), and room for its first line.
const MESSAGE_SIZE: usize = 2048 + 512;

/// What is called when a device of any kind has changed.
pub trait Listener: Send + Sync + 'static {
    /// A uevent came, for [`BlockChanges::take`]. Runs where it was sent, and must not sleep.
    fn arrived(&self);
}

/// Listens for changes of block devices until this is dropped.
///
/// # Invariants
///
/// While its `socket` is not null, `raw` is open, and its `context` is `listener`.
#[pin_data(PinnedDrop)]
pub struct BlockChanges<L: Listener> {
    #[pin]
    raw: Opaque<bindings::xenbus_uevents>,
    #[pin]
    listener: L,
    message: [u8; MESSAGE_SIZE],
}

// SAFETY: Sockets may be used and closed from any thread.
unsafe impl<L: Listener> Send for BlockChanges<L> {}

impl<L: Listener> BlockChanges<L> {
    /// Starts to listen. May sleep.
    pub fn new(listener: L) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            pin_init!(Self {
                raw <- Opaque::zeroed(),
                listener,
                message: [0; MESSAGE_SIZE],
            }),
            GFP_KERNEL,
        )?;
        let context: *const L = &this.listener;
        let raw = this.raw.get();
        // SAFETY: `raw` is ours alone until it is open.
        unsafe {
            (*raw).arrived = Some(Self::arrived_callback);
            (*raw).context = context.cast_mut().cast();
        }
        // SAFETY: `raw` is initialised; it and the context are pinned until `drop` closes it.
        let opened = to_result(unsafe { bindings::xenbus_helper_uevents_open(raw) });
        if let Err(error) = opened {
            // SAFETY: `raw` is ours alone again; `drop` leaves it alone without a socket.
            unsafe { (*raw).socket = core::ptr::null_mut() };
            return Err(error);
        }
        Ok(this)
    }

    /// Whether a block device may have changed since the last call.
    pub fn take(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let mut changed = false;
        loop {
            // SAFETY: By the type invariant `raw` is open; the buffer has the size that is passed.
            let len = unsafe {
                bindings::xenbus_helper_uevents_receive(
                    this.raw.get(),
                    this.message.as_mut_ptr(),
                    this.message.len(),
                )
            };
            match to_result(len) {
                // CAST: Not negative.
                Ok(()) => {
                    let message = this.message.get(..len as usize).unwrap_or_default();
                    changed |= is_block_change(message);
                }
                Err(error) if error == EAGAIN => return changed,
                // There were too many to be kept: one of those that are lost may have been a change.
                Err(error) if error == ENOBUFS => changed = true,
                Err(_) => return true,
            }
        }
    }

    extern "C" fn arrived_callback(context: *mut c_void) {
        // SAFETY: The context is the listener that `new` passed, alive until the socket is closed.
        let listener = unsafe { &*context.cast::<L>() };
        listener.arrived();
    }
}

#[pinned_drop]
impl<L: Listener> PinnedDrop for BlockChanges<L> {
    fn drop(self: Pin<&mut Self>) {
        let raw = self.raw.get();
        // SAFETY: `raw` is valid; only `new` writes the field.
        if unsafe { (*raw).socket.is_null() } {
            return;
        }
        // SAFETY: By the type invariant it is open. The call waits for a callback that runs.
        unsafe { bindings::xenbus_helper_uevents_close(raw) };
    }
}
