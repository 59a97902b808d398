// SPDX-License-Identifier: GPL-2.0

//! Tracepoints of block backends: `/sys/kernel/tracing/events/xbdback/`.
//!
//! Each is a function that takes what to record as a closure. Off, it is an instruction that does nothing, and the
//! closure does not run. The events themselves are defined in C, in `xenbus/trace.h`.

use crate::bindings;

pub use bindings::{
    xenbus_trace_drain as Drain,
    xenbus_trace_queue as Queue,
    xenbus_trace_request as Request, //
};

macro_rules! tracepoints {
    ($($(#[$attribute:meta])* $name:ident($type:ty) => $tracepoint:ident, $record:ident;)*) => { $(
        $(#[$attribute])*
        #[inline(always)]
        pub fn $name(what: impl FnOnce() -> $type) {
            #[cfg(CONFIG_TRACEPOINTS)]
            {
                // SAFETY: It is the static key of a tracepoint, defined in C.
                let on = unsafe {
                    kernel::jump_label::static_branch_unlikely!(
                        bindings::$tracepoint,
                        kernel::bindings::tracepoint,
                        key
                    )
                };
                if on {
                    // SAFETY: It is read during the call.
                    unsafe { bindings::$record(&what()) };
                }
            }
            #[cfg(not(CONFIG_TRACEPOINTS))]
            let _ = what;
        }
    )* };
}

tracepoints! {
    /// A request was copied off the ring, and is valid.
    request_taken(Request) => __tracepoint_xbdback_request_taken, xenbus_trace_request_taken;
    /// A request was handed to the disk.
    request_submitted(Request) => __tracepoint_xbdback_request_submitted, xenbus_trace_request_submitted;
    /// The disk has done a request, and the queue's thread has noticed.
    request_completed(Request) => __tracepoint_xbdback_request_completed, xenbus_trace_request_completed;
    /// The answer to a request is on the ring.
    request_answered(Request) => __tracepoint_xbdback_request_answered, xenbus_trace_request_answered;
    /// A queue's thread has moved on all there was to move on.
    drain(Drain) => __tracepoint_xbdback_drain, xenbus_trace_drain;
}
