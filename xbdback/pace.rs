// SPDX-License-Identifier: GPL-2.0

//! How soon after one another a guest's requests come, which tells whether it pays to wait for the next ones.

use crate::params;
use xenbus::clock::Instant;

/// The pace of one guest on one ring.
pub(crate) struct Pace {
    /// When the ring's thread last went to sleep.
    asleep: Option<Instant>,
    /// The last time it was woken soon.
    quick: bool,
}

impl Pace {
    /// Of a guest that has not sent anything yet.
    pub(crate) fn new() -> Self {
        Self {
            asleep: None,
            quick: false,
        }
    }

    /// The thread goes to sleep.
    pub(crate) fn sleeps(&mut self) {
        self.asleep = (window() > 0).then(Instant::now);
    }

    /// The guest woke it up.
    pub(crate) fn woken(&mut self) {
        self.quick = self
            .asleep
            .take()
            .is_some_and(|asleep| Instant::now().since(asleep) < window());
    }

    /// Whether the next requests are likely to come soon.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// Whether they are late by now, after so many nanoseconds.
    pub(crate) fn is_late(&self, waited: u64) -> bool {
        waited >= window()
    }

    /// They were waited for in vain, and are not expected soon any more.
    pub(crate) fn slows_down(&mut self) {
        self.quick = false;
    }
}

/// How long the next requests may take, in nanoseconds; 0 when they are never waited for.
fn window() -> u64 {
    u64::from(params::poll_window_us.value()).saturating_mul(1000)
}
