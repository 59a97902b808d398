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

/// How much a line matters, as the kernel's log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something an administrator should mend.
    Error,
    /// Something that is odd, but was dealt with.
    Warning,
    /// Something that happened as it should.
    Info,
}

/// Prints `line` to the kernel log, with nothing before it. A line feed is added.
pub fn print(level: Level, line: fmt::Arguments<'_>) {
    let format = match level {
        Level::Error => c"\x013%pA\n",
        Level::Warning => c"\x014%pA\n",
        Level::Info => c"\x016%pA\n",
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

/// Lets a burst of lines through in every interval, and counts what it held back.
///
/// For lines that a peer can provoke as often as it likes. It belongs to one owner, so that one noisy
/// guest does not silence another.
pub struct RateLimit {
    interval: Delta,
    burst: u32,
    since: Instant<Monotonic>,
    printed: u32,
    held_back: u32,
}

impl RateLimit {
    /// Allows `burst` lines in each `interval`.
    pub fn new(interval: Delta, burst: u32) -> Self {
        Self {
            interval,
            burst,
            since: Instant::now(),
            printed: 0,
            held_back: 0,
        }
    }

    /// Prints `line`, or counts it when the burst of this interval is used up.
    ///
    /// The first line of a new interval is followed by the number of those held back before it.
    pub fn print(&mut self, level: Level, line: fmt::Arguments<'_>) {
        if self.since.elapsed() >= self.interval {
            self.since = Instant::now();
            self.printed = 0;
        }
        if self.printed >= self.burst {
            self.held_back = self.held_back.saturating_add(1);
            return;
        }
        self.printed += 1;
        print(level, line);
        if self.held_back > 0 {
            print(
                level,
                format_args!("({} similar messages held back)", self.held_back),
            );
            self.held_back = 0;
        }
    }
}
