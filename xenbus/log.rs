// SPDX-License-Identifier: GPL-2.0

//! Kernel log lines without a prefix, and their rate limit.
//!
//! The specification gives the text of messages down to the first letter, while `pr_info!` puts the name
//! of the module before every line. [`print`] hands a line to the kernel as it is.

use core::fmt;
use kernel::{
    bindings,
    prelude::*,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};
use xenbus_proto::message::Severity;

/// Prints `line` to the kernel log, with nothing before it. A line feed is added.
pub fn print(severity: Severity, line: fmt::Arguments<'_>) {
    let format = match severity {
        Severity::Error => c"\x013%pA\n",
        Severity::Warning => c"\x014%pA\n",
        Severity::Info => c"\x016%pA\n",
    };
    // SAFETY: The format consumes one argument, a pointer to `fmt::Arguments` that `%pA` reads while the
    // call lasts.
    unsafe {
        bindings::_printk(
            format.as_char_ptr(),
            core::ptr::from_ref(&line).cast::<c_void>(),
        )
    };
}

/// Lets a burst through in every interval, and counts what it held back.
///
/// For what a peer can provoke as often as it likes, log lines above all. It belongs to one owner, so that
/// one noisy guest does not silence another.
pub struct RateLimit {
    interval: Delta,
    burst: u32,
    since: Instant<Monotonic>,
    allowed: u32,
    held_back: u32,
}

impl RateLimit {
    /// Allows `burst` in each `interval`.
    pub fn new(interval: Delta, burst: u32) -> Self {
        Self {
            interval,
            burst,
            since: Instant::now(),
            allowed: 0,
            held_back: 0,
        }
    }

    /// Whether one more may come now.
    pub fn has_room(&mut self) -> bool {
        if self.since.elapsed() >= self.interval {
            self.since = Instant::now();
            self.allowed = 0;
        }
        self.allowed < self.burst
    }

    /// Counts one that came, or was held back. Returns which: whether it may come.
    pub fn allow(&mut self) -> bool {
        let room = self.has_room();
        let counter = match room {
            true => &mut self.allowed,
            false => &mut self.held_back,
        };
        *counter = counter.saturating_add(1);
        room
    }

    /// Prints `line`, unless there were too many lately.
    ///
    /// The first line that gets through again is followed by the number of those held back before it.
    pub fn print(&mut self, severity: Severity, line: fmt::Arguments<'_>) {
        if !self.allow() {
            return;
        }
        print(severity, line);
        if self.held_back > 0 {
            print(
                severity,
                format_args!("({} similar messages held back)", self.held_back),
            );
            self.held_back = 0;
        }
    }
}
