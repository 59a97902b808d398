// SPDX-License-Identifier: GPL-2.0

//! What the backend tells the administrator: in the kernel log, and in xenstore.

use crate::identity::Identity;
use core::fmt::Display;
use kernel::{
    prelude::*,
    time::Delta, //
};
use xenbus::log::{
    self,
    RateLimit, //
};
use xenbus_proto::{
    message::{
        Errno,
        Message,
        Severity, //
    },
    problem::Problem, //
};

/// Prints a line that only the toolstack and the administrator can cause.
pub(crate) fn say(message: &Message<'_>) {
    log::print(message.severity(), format_args!("{message}"));
}

/// Says why a disk does not work, when only the toolstack or the administrator can be the cause.
pub(crate) fn report(id: &Identity, error: Error, problem: &impl Display) {
    id.dev.report_error(error, format_args!("{problem}"));
    log::print(Severity::Error, format_args!("{}: {problem}", id.name));
}

/// The error number of a message.
pub(crate) fn errno(error: Error) -> Errno {
    Errno::new(error.to_errno())
}

/// Says what a guest can cause as often as it likes: a few lines, then few lines.
pub(crate) struct GuestLog(RateLimit);

impl GuestLog {
    /// Ten lines in any five seconds, as the kernel's own limit.
    pub(crate) fn new() -> Self {
        Self(RateLimit::new(Delta::from_secs(5), 10))
    }

    /// Prints `message`; within limits if a guest can provoke it.
    pub(crate) fn say(&mut self, message: &Message<'_>) {
        if message.guest_can_provoke() {
            self.0.print(message.severity(), format_args!("{message}"));
        } else {
            say(message);
        }
    }

    /// Says why a disk does not work. Xenstore has the last reason, whatever the log holds back.
    pub(crate) fn report(&mut self, id: &Identity, error: Error, problem: &Problem<'_>) {
        id.dev.report_error(error, format_args!("{problem}"));
        self.0
            .print(Severity::Error, format_args!("{}: {problem}", id.name));
    }
}
