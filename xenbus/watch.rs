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
    sync::Arc,
    types::Opaque, //
};

/// Whether this is the xenwatch thread, in which all watches are called and all devices come and go. It must
/// not wait for a guest or a disk.
pub fn in_xenwatch() -> bool {
    // SAFETY: Takes no arguments.
    unsafe { bindings::xenbus_helper_in_xenwatch() }
}

/// What is called when a watched node was written.
pub trait Watcher: Send + Sync + 'static {
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
    watcher: Arc<W>,
}

// SAFETY: The C part is only touched by the xenbus core, and by `drop`.
unsafe impl<W: Watcher> Send for Watch<W> {}
// SAFETY: Nothing can be done by way of a shared reference; the core calls `watcher`, which is `Sync`.
unsafe impl<W: Watcher> Sync for Watch<W> {}

impl<W: Watcher> Watch<W> {
    /// Watches `path` and everything below.
    pub fn new(path: &CStr, watcher: W) -> Result<Pin<KBox<Self>>> {
        let path = CString::try_from_fmt(fmt!("{}", path.to_str()?))?;
        let watcher = Arc::new(watcher, GFP_KERNEL)?;
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
        // The count may be on its way down, as the core counts under another lock: then the event that is
        // dropped here is about a change that the callback, which has not started, is going to see.
        //
        // SAFETY: The core passes the watch; only the core writes the field.
        unsafe { (&raw const (*watch).nr_pending).read_volatile() == 0 }
    }

    extern "C" fn changed_callback(
        watch: *mut bindings::xenbus_watch,
        _path: *const c_char,
        _token: *const c_char,
    ) {
        let watch = Opaque::cast_from(watch);
        // SAFETY: The watch is embedded in a `Self`.
        let this = unsafe { kernel::container_of!(watch, Self, watch) };

        // The watcher may drop the watch, from which nothing is used afterwards.
        //
        // SAFETY: Until then it is valid: dropping it elsewhere waits for this callback.
        let watcher = unsafe { (*this).watcher.clone() };
        watcher.changed();
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
        // unless it is made by that callback, which expects it.
        unsafe { bindings::unregister_xenbus_watch(raw) };
    }
}
