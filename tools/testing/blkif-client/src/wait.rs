// SPDX-License-Identifier: GPL-2.0

//! Waiting for something to become true.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How long anything may take that a healthy backend does at once; generous, for an emulated machine.
///
/// The variable `PATIENCE` multiplies it, for a busy one.
pub fn patience() -> Duration {
    let times = std::env::var("PATIENCE")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(15) * times.unwrap_or(1)
}

/// How long to watch that something does *not* happen.
pub const QUIET: Duration = Duration::from_millis(400);

/// Calls `probe` until it yields a value or `timeout` is over.
pub fn wait_for<T>(
    timeout: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let end = Instant::now() + timeout;
    let mut pause = Duration::from_millis(4);
    loop {
        if let Some(value) = probe()? {
            return Ok(Some(value));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
