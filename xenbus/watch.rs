// SPDX-License-Identifier: GPL-2.0

//! Watches on xenstore nodes.
//!
//! C header: [`include/xen/xenbus.h`](srctree/include/xen/xenbus.h)

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*,
    str::{
        CStr,
        CString, //
    },
    types::Opaque, //
};

/// What is called when a watched node was written.
pub trait Watcher: Send + Sync {
    /// The node, or one below it, was written; also called once when the watch is made.
    ///
    /// Runs in the xenwatch thread, which serves every device of the system: hand the work on. Events that
    /// come while one is pending are dropped, so read the node when it is dealt with, not here.
    fn changed(&self);
}

/// A watch, which ends when this is dropped.
///
/// # Invariants
///
/// While `registered`, `watch` is known to the xenbus core, and its `node` points into `path`.
#[pin_data(PinnedDrop)]
pub struct Watch<W: Watcher> {
    #[pin]
    watch: Opaque<bindings::xenbus_watch>,
    path: CString,
    watcher: W,
}

// SAFETY: The C part is only touched by the xenbus core, and by `drop`.
unsafe impl<W: Watcher> Send for Watch<W> {}
// SAFETY: Nothing can be done by way of a shared reference; the core calls `watcher`, which is `Sync`.
unsafe impl<W: Watcher> Sync for Watch<W> {}

impl<W: Watcher + 'static> Watch<W> {
    /// Watches `path` and everything below.
    pub fn new(path: &CStr, watcher: W) -> Result<Pin<KBox<Self>>> {
        let path = CString::try_from_fmt(fmt!("{}", path.to_str()?))?;
        let this = KBox::pin_init(
            pin_init!(Self {
                watch <- Opaque::zeroed(),
                path,
                watcher,
            }? Error),
            GFP_KERNEL,
        )?;

        let raw = this.watch.get();
        // SAFETY: `raw` is ours alone until it is registered.
        unsafe {
            (*raw).node = this.path.as_char_ptr();
            (*raw).will_handle = Some(Self::will_handle_callback);
            (*raw).callback = Some(Self::changed_callback);
        }
        // SAFETY: `raw` is initialised, and pinned until `drop` unregisters it.
        let registered = to_result(unsafe { bindings::register_xenbus_watch(raw) });
        if let Err(e) = registered {
            // SAFETY: The core has given the watch back; `drop` leaves a watch without a node alone.
            unsafe { (*raw).node = core::ptr::null() };
            return Err(e);
        }
        Ok(this)
    }

    /// Lets one event wait at a time, so that a guest that writes a node for ever costs no memory.
    extern "C" fn will_handle_callback(
        watch: *mut bindings::xenbus_watch,
        _path: *const c_char,
        _token: *const c_char,
    ) -> bool {
        // SAFETY: The core passes the watch, and holds the lock that `nr_pending` is counted under.
        unsafe { (*watch).nr_pending == 0 }
    }

    extern "C" fn changed_callback(
        watch: *mut bindings::xenbus_watch,
        _path: *const c_char,
        _token: *const c_char,
    ) {
        let watch = Opaque::cast_from(watch);
        // SAFETY: The watch is embedded in a `Self`.
        let this = unsafe { kernel::container_of!(watch, Self, watch) };

        // SAFETY: `Self` is dropped only after the core has been told, which waits for this callback.
        unsafe { (*this).watcher.changed() };
    }
}

#[pinned_drop]
impl<W: Watcher> PinnedDrop for Watch<W> {
    fn drop(self: Pin<&mut Self>) {
        let raw = self.watch.get();
        // SAFETY: `raw` is valid; the core does not write the field.
        if unsafe { (*raw).node.is_null() } {
            return;
        }
        // SAFETY: The watch is registered, by the type invariant. The call waits for a callback that runs,
        // unless it is made by that callback.
        unsafe { bindings::unregister_xenbus_watch(raw) };
    }
}
