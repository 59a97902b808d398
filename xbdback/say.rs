// SPDX-License-Identifier: GPL-2.0

//! What the backend says in the kernel log.

use kernel::{
    prelude::*,
    time::Delta, //
};
use xenbus::log::{
    self,
    Level,
    RateLimit, //
};
use xenbus_proto::message::{
    Errno,
    Message,
    Severity, //
};

/// Prints a line that only the toolstack and the administrator can cause.
pub(crate) fn say(message: &Message<'_>) {
    log::print(level(message), format_args!("{message}"));
}

/// The error number of a message.
pub(crate) fn errno(error: Error) -> Errno {
    Errno::new(error.to_errno())
}

fn level(message: &Message<'_>) -> Level {
    match message.severity() {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Info => Level::Info,
    }
}

/// Prints what a guest can cause as often as it likes: a few lines, then few lines.
pub(crate) struct GuestLog(RateLimit);

impl GuestLog {
    /// Ten lines in any five seconds, as the kernel's own limit.
    pub(crate) fn new() -> Self {
        Self(RateLimit::new(Delta::from_secs(5), 10))
    }

    /// Prints `message`, unless there were many lately.
    pub(crate) fn say(&mut self, message: &Message<'_>) {
        self.0.print(level(message), format_args!("{message}"));
    }
}
